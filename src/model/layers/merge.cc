// Layers that make one tensor of several.
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "model/layer_builder.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::model {
namespace {

using compute::CombineFunction;

constexpr std::size_t kInputsMax = 1024;

/// Add and Multiply.
class CombineOperation final : public Operation {
 public:
  /// `count`: elements of an example of each of `inputs` inputs.
  CombineOperation(CombineFunction function, std::size_t count, std::size_t inputs)
      : function_(function), count_(count) {
    terms_.reserve(inputs);
  }

  void forward(const Pass& pass, const CallMemory& call) const override {
    terms_.clear();
    for (const float* in : call.in) terms_.push_back(part(pass, in));
    pass.device.combine(
        {.function = function_, .inputs = terms_, .out = {call.out, elements(pass)}});
  }
  void backward(const Pass& pass, const CallMemory& call) const override {
    for (std::size_t i = 0; i < call.in.size(); ++i) {
      if (call.in_gradients[i] == nullptr) continue;
      const std::span<float> gradient(call.in_gradients[i], elements(pass));
      if (function_ == CombineFunction::kAdd) {
        pass.device.copy({call.out_gradient, elements(pass)}, gradient);
        continue;
      }
      terms_.assign(1, part(pass, call.out_gradient));
      for (std::size_t other = 0; other < call.in.size(); ++other) {
        if (other != i) terms_.push_back(part(pass, call.in[other]));
      }
      pass.device.combine({.function = function_, .inputs = terms_, .out = gradient});
    }
  }

 private:
  std::size_t elements(const Pass& pass) const { return pass.examples * count_; }

  std::span<const float> part(const Pass& pass, const float* data) const {
    return {data, elements(pass)};
  }

  const CombineFunction function_;
  const std::size_t count_;
  mutable std::vector<std::span<const float>> terms_;  ///< Of one call, here for its memory.
};

class ConcatenateOperation final : public Operation {
 public:
  /// An example is `rows` rows, in each of which input i has `columns[i]` elements.
  ConcatenateOperation(std::size_t rows, std::vector<std::size_t> columns)
      : rows_(rows), columns_(std::move(columns)) {
    for (const std::size_t count : columns_) total_ += count;
  }

  void forward(const Pass& pass, const CallMemory& call) const override {
    std::size_t at = 0;
    for (std::size_t i = 0; i < columns_.size(); at += columns_[i++]) {
      pass.device.copy_rows({.rows = pass.examples * rows_,
                             .columns = columns_[i],
                             .from = call.in[i],
                             .from_stride = columns_[i],
                             .to = call.out + at,
                             .to_stride = total_});
    }
  }
  void backward(const Pass& pass, const CallMemory& call) const override {
    std::size_t at = 0;
    for (std::size_t i = 0; i < columns_.size(); at += columns_[i++]) {
      if (call.in_gradients[i] == nullptr) continue;
      pass.device.copy_rows({.rows = pass.examples * rows_,
                             .columns = columns_[i],
                             .from = call.out_gradient + at,
                             .from_stride = total_,
                             .to = call.in_gradients[i],
                             .to_stride = columns_[i]});
    }
  }

 private:
  const std::size_t rows_;
  const std::vector<std::size_t> columns_;
  std::size_t total_ = 0;
};

/// The dot product of two vectors per example.
class DotOperation final : public Operation {
 public:
  DotOperation(std::size_t depth, bool normalize) : depth_(depth), normalize_(normalize) {}

  /// Both inputs at length 1, and the gradients of those.
  std::size_t saved_count(std::size_t examples) const override {
    return normalize_ ? 4 * examples * depth_ : 0;
  }

  void forward(const Pass& pass, const CallMemory& call) const override {
    std::array<const float*, 2> sides = {call.in[0], call.in[1]};
    if (normalize_) {
      for (std::size_t i = 0; i < 2; ++i) {
        pass.device.unit_rows({.in = {call.in[i], pass.examples, depth_},
                               .out = {saved(pass, call, i), pass.examples, depth_}});
        sides[i] = saved(pass, call, i);
      }
    }
    pass.device.dot({.shape = shape(pass),
                     .left = {sides[0], elements(pass)},
                     .right = {sides[1], elements(pass)},
                     .out = {call.out, pass.examples}});
  }

  void backward(const Pass& pass, const CallMemory& call) const override {
    std::array<const float*, 2> sides = {call.in[0], call.in[1]};
    std::array<std::span<float>, 2> gradients;
    for (std::size_t i = 0; i < 2; ++i) {
      float* gradient = call.in_gradients[i];
      if (normalize_) {
        sides[i] = saved(pass, call, i);
        if (gradient != nullptr) gradient = saved(pass, call, 2 + i);
      }
      if (gradient != nullptr) gradients[i] = {gradient, elements(pass)};
    }
    pass.device.dot_backward({.shape = shape(pass),
                              .left = {sides[0], elements(pass)},
                              .right = {sides[1], elements(pass)},
                              .out_gradient = {call.out_gradient, pass.examples},
                              .left_gradient = gradients[0],
                              .right_gradient = gradients[1]});
    for (std::size_t i = 0; i < 2 && normalize_; ++i) {
      if (call.in_gradients[i] == nullptr) continue;
      pass.device.unit_rows_backward(
          {.in = {call.in[i], pass.examples, depth_},
           .out_gradient = {gradients[i].data(), pass.examples, depth_},
           .in_gradient = {call.in_gradients[i], pass.examples, depth_}});
    }
  }

 private:
  std::size_t elements(const Pass& pass) const { return pass.examples * depth_; }
  float* saved(const Pass& pass, const CallMemory& call, std::size_t part) const {
    return call.saved + part * elements(pass);
  }
  compute::DotShape shape(const Pass& pass) const {
    return {.examples = pass.examples, .depth = depth_};
  }

  const std::size_t depth_;
  const bool normalize_;
};

void check_count(const LayerBuilder& builder) {
  builder.take_several();
  if (builder.input_count() > kInputsMax) {
    builder.refuse(base::str_cat("it has ", builder.input_count(), " inputs"),
                   base::str_cat("Give at most ", kInputsMax));
  }
}

void build_combine(CombineFunction function, LayerBuilder& builder) {
  check_count(builder);
  const Shape shape = builder.input().shape;
  for (std::size_t i = 1; i < builder.input_count(); ++i) {
    if (builder.input(i).shape == shape) continue;
    builder.refuse(base::str_cat("its first input has the shape ", tensor::to_string(shape),
                                 ", input ", i, " ", tensor::to_string(builder.input(i).shape)),
                   "Give tensors of one shape");
  }
  builder.emit(
      std::make_unique<CombineOperation>(function, builder.input().count, builder.input_count()),
      shape);
}

}  // namespace

void build(const Add& /*layer*/, LayerBuilder& builder) {
  build_combine(CombineFunction::kAdd, builder);
}

void build(const Multiply& /*layer*/, LayerBuilder& builder) {
  build_combine(CombineFunction::kMultiply, builder);
}

void build(const Concatenate& layer, LayerBuilder& builder) {
  check_count(builder);
  Shape shape = builder.input().shape;
  const auto rank = static_cast<int>(shape.size());
  const int axis = layer.axis < 0 ? rank + layer.axis : layer.axis - 1;
  if (axis < 0 || axis >= rank || layer.axis == 0) {
    builder.refuse(base::str_cat("Concatenate::axis is ", layer.axis,
                                 ", but its first input has the shape ", tensor::to_string(shape)),
                   base::str_cat("Give 1 to ", rank, ", or -1 for the last"));
  }
  const auto at = static_cast<std::size_t>(axis);
  std::size_t rows = 1, inner = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i < at) rows *= static_cast<std::size_t>(shape[i]);
    if (i > at) inner *= static_cast<std::size_t>(shape[i]);
  }
  std::vector<std::size_t> columns;
  std::int64_t total = 0;
  for (std::size_t i = 0; i < builder.input_count(); ++i) {
    Shape other = builder.input(i).shape;
    const bool same_rank = other.size() == shape.size();
    const std::int64_t size = same_rank ? other[at] : 0;
    if (same_rank) other[at] = shape[at];
    if (other != shape) {
      builder.refuse(base::str_cat("its first input has the shape ", tensor::to_string(shape),
                                   ", input ", i, " ", tensor::to_string(builder.input(i).shape)),
                     "Give tensors that differ in the joined dimension alone");
    }
    columns.push_back(static_cast<std::size_t>(size) * inner);
    total += size;
    Shape joined = shape;
    joined[at] = total;
    builder.check_size(joined, "joined tensors");  // now: a longer sum could overflow
  }
  shape[at] = total;
  builder.emit(std::make_unique<ConcatenateOperation>(rows, std::move(columns)), std::move(shape));
}

void build(const Dot& layer, LayerBuilder& builder) {
  builder.take_several();
  const Shape& left = builder.input(0).shape;
  const bool fits =
      builder.input_count() == 2 && left.size() == 1 && left == builder.input(1).shape;
  if (!fits) {
    std::vector<std::string> shapes;
    for (std::size_t i = 0; i < builder.input_count(); ++i) {
      shapes.push_back(tensor::to_string(builder.input(i).shape));
    }
    builder.refuse(base::str_cat("it takes two vectors of one length, but its inputs have the "
                                 "shapes ",
                                 base::join(shapes)),
                   "Put a Flatten or a Dense in front");
  }
  builder.emit(std::make_unique<DotOperation>(builder.columns(), layer.normalize), {1});
}

}  // namespace dtrain::inline v0::model
