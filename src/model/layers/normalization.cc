// BatchNormalization and LayerNormalization. Normalization, which takes its numbers from the data,
// is in preprocessing.cc.
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "model/layer_builder.h"

namespace dtrain::inline v0::model {
namespace {

/// gamma and beta, of which each may be absent, and the variables behind them.
struct ScaleAndShift {
  Place gamma;
  Place beta;

  /// Takes the first of the places.
  template <typename Layer>
  std::span<const Place> bind(const Layer& layer, std::span<const Place> places) {
    if (layer.scale) {
      gamma = places.front();
      places = places.subspan(1);
    }
    if (layer.center) {
      beta = places.front();
      places = places.subspan(1);
    }
    return places;
  }
};

template <typename Layer>
std::vector<VariableSpec> specs_of(const std::string& name, const Layer& layer,
                                   std::size_t columns) {
  const Shape shape = {static_cast<std::int64_t>(columns)};
  std::vector<VariableSpec> specs;
  if (layer.scale) {
    specs.push_back({.name = name + "/gamma",
                     .shape = shape,
                     .initializer = layer.gamma_initializer,
                     .regularizer = layer.gamma_regularizer});
  }
  if (layer.center) {
    specs.push_back({.name = name + "/beta",
                     .shape = shape,
                     .initializer = layer.beta_initializer,
                     .regularizer = layer.beta_regularizer});
  }
  return specs;
}

template <typename T>
std::span<T> part(std::span<T> arena, Place place) {
  return arena.subspan(place.offset, place.count);
}

class BatchNormalizationOperation final : public Operation {
 public:
  BatchNormalizationOperation(std::string name, BatchNormalization layer,
                              std::size_t rows_per_example, std::size_t columns)
      : name_(std::move(name)),
        layer_(std::move(layer)),
        rows_per_example_(rows_per_example),
        columns_(columns) {}

  std::vector<VariableSpec> variables() const override {
    std::vector<VariableSpec> specs = specs_of(name_, layer_, columns_);
    const Shape shape = {static_cast<std::int64_t>(columns_)};
    specs.push_back({.name = name_ + "/moving_mean",
                     .shape = shape,
                     .initializer = layer_.moving_mean_initializer,
                     .kind = VariableKind::kStatistic});
    specs.push_back({.name = name_ + "/moving_variance",
                     .shape = shape,
                     .initializer = layer_.moving_variance_initializer,
                     .kind = VariableKind::kStatistic});
    return specs;
  }
  void bind(std::span<const Place> places) override {
    places = scale_.bind(layer_, places);
    moving_mean_ = places[0];
    moving_variance_ = places[1];
  }
  /// The batch's mean and variance.
  std::size_t saved_count(std::size_t /*examples*/) const override { return 2 * columns_; }

  void forward(const Pass& pass, const CallMemory& call) const override {
    const std::size_t rows = pass.examples * rows_per_example_;
    const auto gamma = part(pass.values, scale_.gamma);
    const auto beta = part(pass.values, scale_.beta);
    if (!pass.training) {
      pass.device.batch_inference({.in = {call.in[0], rows, columns_},
                                   .gamma = gamma,
                                   .beta = beta,
                                   .epsilon = layer_.epsilon,
                                   .mean = part(pass.values, moving_mean_),
                                   .variance = part(pass.values, moving_variance_),
                                   .out = {call.out, rows, columns_}});
      return;
    }
    pass.device.batch_normalization({.in = {call.in[0], rows, columns_},
                                     .gamma = gamma,
                                     .beta = beta,
                                     .epsilon = layer_.epsilon,
                                     .mean = mean(call),
                                     .variance = variance(call),
                                     .out = {call.out, rows, columns_}});
  }

  void backward(const Pass& pass, const CallMemory& call) const override {
    const std::size_t rows = pass.examples * rows_per_example_;
    pass.device.batch_normalization_backward(
        {.in = {call.in[0], rows, columns_},
         .gamma = part(pass.values, scale_.gamma),
         .epsilon = layer_.epsilon,
         .mean = mean(call),
         .variance = variance(call),
         .out_gradient = {call.out_gradient, rows, columns_},
         .gamma_gradient = part(pass.gradients, scale_.gamma),
         .beta_gradient = part(pass.gradients, scale_.beta),
         .in_gradient = {call.in_gradients[0], rows, columns_}});
    move(pass, moving_mean_, mean(call));
    move(pass, moving_variance_, variance(call));
  }

 private:
  std::span<float> mean(const CallMemory& call) const { return {call.saved, columns_}; }
  std::span<float> variance(const CallMemory& call) const {
    return {call.saved + columns_, columns_};
  }
  /// average * momentum + value * (1 - momentum), as what is subtracted from the average. Where the
  /// layer is called several times each call's average is the next one's: those behind this call
  /// multiply its part by the momentum.
  void move(const Pass& pass, Place average, std::span<const float> value) const {
    const float later = std::pow(layer_.momentum, static_cast<float>(pass.later_calls));
    const float rate = (1.0F - layer_.momentum) * later;
    const auto difference = part(pass.gradients, average);
    pass.device.scale(part(pass.values, average), rate, difference);
    pass.device.accumulate(difference, value, -rate);
  }

  const std::string name_;
  const BatchNormalization layer_;
  const std::size_t rows_per_example_;
  const std::size_t columns_;
  ScaleAndShift scale_;
  Place moving_mean_;
  Place moving_variance_;
};

class LayerNormalizationOperation final : public Operation {
 public:
  LayerNormalizationOperation(std::string name, LayerNormalization layer,
                              std::size_t rows_per_example, std::size_t columns)
      : name_(std::move(name)),
        layer_(std::move(layer)),
        rows_per_example_(rows_per_example),
        columns_(columns) {}

  std::vector<VariableSpec> variables() const override { return specs_of(name_, layer_, columns_); }
  void bind(std::span<const Place> places) override { scale_.bind(layer_, places); }
  /// Each row's mean and inverse deviation.
  std::size_t saved_count(std::size_t examples) const override {
    return 2 * examples * rows_per_example_;
  }

  void forward(const Pass& pass, const CallMemory& call) const override {
    const std::size_t rows = pass.examples * rows_per_example_;
    pass.device.layer_normalization({.in = {call.in[0], rows, columns_},
                                     .gamma = part(pass.values, scale_.gamma),
                                     .beta = part(pass.values, scale_.beta),
                                     .epsilon = layer_.epsilon,
                                     .mean = {call.saved, rows},
                                     .inverse_deviation = {call.saved + rows, rows},
                                     .out = {call.out, rows, columns_}});
  }
  void backward(const Pass& pass, const CallMemory& call) const override {
    const std::size_t rows = pass.examples * rows_per_example_;
    pass.device.layer_normalization_backward(
        {.in = {call.in[0], rows, columns_},
         .gamma = part(pass.values, scale_.gamma),
         .mean = {call.saved, rows},
         .inverse_deviation = {call.saved + rows, rows},
         .out_gradient = {call.out_gradient, rows, columns_},
         .gamma_gradient = part(pass.gradients, scale_.gamma),
         .beta_gradient = part(pass.gradients, scale_.beta),
         .in_gradient = {call.in_gradients[0], rows, columns_}});
  }

 private:
  const std::string name_;
  const LayerNormalization layer_;
  const std::size_t rows_per_example_;
  const std::size_t columns_;
  ScaleAndShift scale_;
};

template <typename Layer>
void check(const Layer& layer, const LayerBuilder& builder) {
  builder.take_floats();
  if (!(layer.epsilon > 0.0F && layer.epsilon < 1e30F)) {
    builder.refuse(base::str_cat("epsilon is ", layer.epsilon), "Give a number above 0");
  }
  builder.check(layer.gamma_initializer, "gamma_initializer");
  builder.check(layer.beta_initializer, "beta_initializer");
  builder.check(layer.gamma_regularizer, "gamma_regularizer");
  builder.check(layer.beta_regularizer, "beta_regularizer");
}

}  // namespace

void build(const BatchNormalization& layer, LayerBuilder& builder) {
  check(layer, builder);
  if (!(layer.momentum >= 0.0F && layer.momentum <= 1.0F)) {
    builder.refuse(base::str_cat("momentum is ", layer.momentum), "Give a number in [0, 1]");
  }
  builder.check(layer.moving_mean_initializer, "moving_mean_initializer");
  builder.check(layer.moving_variance_initializer, "moving_variance_initializer");
  const Shape shape = builder.input().shape;
  builder.emit(std::make_unique<BatchNormalizationOperation>(
                   builder.name(), layer, builder.rows_per_example(), builder.columns()),
               shape);
}

void build(const LayerNormalization& layer, LayerBuilder& builder) {
  check(layer, builder);
  const Shape shape = builder.input().shape;
  builder.emit(std::make_unique<LayerNormalizationOperation>(
                   builder.name(), layer, builder.rows_per_example(), builder.columns()),
               shape);
}

}  // namespace dtrain::inline v0::model
