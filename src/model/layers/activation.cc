// Layers that work element by element, and those that only name elements otherwise.
#include "compute/activation.h"

#include <memory>
#include <string>
#include <utility>

#include "base/philox.h"
#include "base/strings.h"
#include "model/layer_builder.h"
#include "tensor/initializer.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::model {
namespace {

class ActivationOperation final : public Operation {
 public:
  /// Softmax is over the last dimension, of `columns`. `constant`: as in compute::ActivationPass.
  ActivationOperation(Activation activation, std::optional<float> constant,
                      std::size_t rows_per_example, std::size_t columns)
      : activation_(activation),
        constant_(constant),
        rows_per_example_(rows_per_example),
        columns_(columns) {}

  bool is_identity(bool /*training*/) const override { return activation_ == Activation::kLinear; }
  std::optional<Activation> activation() const override {
    if (compute::activation_is_over_rows(activation_) && rows_per_example_ != 1) return {};
    return activation_;
  }

  void forward(const Pass& pass, const CallMemory& call) const override {
    const std::size_t rows = pass.examples * rows_per_example_;
    pass.device.activate({.activation = activation_,
                          .constant = constant_,
                          .in = {call.in[0], rows, columns_},
                          .out = {call.out, rows, columns_}});
  }
  void backward(const Pass& pass, const CallMemory& call) const override {
    if (call.in_gradients[0] == nullptr) return;
    const std::size_t rows = pass.examples * rows_per_example_;
    pass.device.activate_backward({.activation = activation_,
                                   .constant = constant_,
                                   .in = {call.in[0], rows, columns_},
                                   .out = {call.out, rows, columns_},
                                   .out_gradient = {call.out_gradient, rows, columns_},
                                   .in_gradient = {call.in_gradients[0], rows, columns_}});
  }

 private:
  const Activation activation_;
  const std::optional<float> constant_;
  const std::size_t rows_per_example_;
  const std::size_t columns_;
};

class DropoutOperation final : public Operation {
 public:
  /// `name`: the layer's, and which of its calls this is.
  DropoutOperation(const std::string& name, float rate, std::uint64_t seed, std::size_t columns)
      : rate_(rate), columns_(columns) {
    const std::uint64_t stream = tensor::stream_of(name);
    const auto words = base::philox(
        {static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32), 0, 0},
        {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
    key_ = std::uint64_t{words[1]} << 32 | words[0];
  }

  bool is_identity(bool training) const override { return !training || rate_ == 0.0F; }
  bool needs_example_indices() const override { return rate_ > 0.0F; }

  void forward(const Pass& pass, const CallMemory& call) const override {
    run(pass, call.in[0], call.out);
  }
  void backward(const Pass& pass, const CallMemory& call) const override {
    if (call.in_gradients[0] != nullptr) run(pass, call.out_gradient, call.in_gradients[0]);
  }

 private:
  void run(const Pass& pass, const float* in, float* out) const {
    pass.device.dropout({.rate = rate_,
                         .key = key_,
                         .step = static_cast<std::uint32_t>(pass.step),
                         .example_indices = pass.example_indices,
                         .in = {in, pass.examples, columns_},
                         .out = {out, pass.examples, columns_}});
  }

  const float rate_;
  const std::size_t columns_;
  std::uint64_t key_ = 0;
};

}  // namespace

bool fuses(Activation activation, const LayerBuilder& builder) {
  if (!compute::activation_can_be_fused(activation)) return false;
  // Binary cross-entropy is computed from what goes into a sigmoid.
  return activation != Activation::kSigmoid || !builder.is_output();
}

void build_activation(Activation activation, LayerBuilder& builder) {
  builder.emit(std::make_unique<ActivationOperation>(activation, std::optional<float>(),
                                                     builder.rows_per_example(), builder.columns()),
               builder.input().shape);
}

void build(const LeakyReLU& layer, LayerBuilder& builder) {
  builder.take_floats();
  if (!(layer.negative_slope >= 0.0F && layer.negative_slope <= 1e30F)) {
    builder.refuse(base::str_cat("LeakyReLU::negative_slope is ", layer.negative_slope),
                   "Give a number of at least 0");
  }
  builder.emit(std::make_unique<ActivationOperation>(Activation::kLeakyRelu, layer.negative_slope,
                                                     builder.rows_per_example(), builder.columns()),
               builder.input().shape);
}

void build(const ActivationLayer& layer, LayerBuilder& builder) {
  builder.take_floats();
  build_activation(layer.activation, builder);
}

void build(const Flatten& /*layer*/, LayerBuilder& builder) {
  builder.take_one();
  builder.reshape({static_cast<std::int64_t>(builder.input().count)});
}

void build(const Reshape& layer, LayerBuilder& builder) {
  builder.take_one();
  const auto count = static_cast<std::int64_t>(builder.input().count);
  Shape shape = layer.target_shape;
  std::int64_t* open = nullptr;
  std::int64_t known = 1;
  for (std::int64_t& size : shape) {
    if (size == -1 && open == nullptr) {
      open = &size;
    } else {
      const bool fits = known > 0 && size >= 1 && size <= count / known;
      known = fits ? known * size : 0;
    }
  }
  if (open != nullptr && known > 0 && count % known == 0) *open = count / known;
  const bool fits = known > 0 && (open != nullptr ? *open > 0 : known == count);
  if (!fits) {
    builder.refuse(
        base::str_cat("Reshape::target_shape is ", tensor::to_string(layer.target_shape),
                      ", but its input has the shape ", tensor::to_string(builder.input().shape),
                      ": ", count, " elements"),
        "Give sizes whose product is that; one of them may be -1");
  }
  builder.reshape(std::move(shape));
}

void build(const Dropout& layer, LayerBuilder& builder) {
  builder.take_floats();
  if (!(layer.rate >= 0.0F && layer.rate < 1.0F)) {
    builder.refuse(base::str_cat("Dropout::rate is ", layer.rate), "Give a number in [0, 1)");
  }
  const std::size_t earlier = builder.earlier_operations();
  const std::string name =
      earlier == 0 ? builder.name() : base::str_cat(builder.name(), "/", earlier);
  builder.emit(std::make_unique<DropoutOperation>(
                   name, layer.rate, layer.seed.value_or(builder.seed()), builder.input().count),
               builder.input().shape);
}

}  // namespace dtrain::inline v0::model
