#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/strings.h"
#include "model/layer_builder.h"

namespace dtrain::inline v0::model {
namespace {

using compute::PoolingFunction;
using compute::PoolingShape;
using compute::PoolingTies;
using compute::WindowAxis;

class PoolingOperation final : public Operation {
 public:
  /// `shape` is that of one example.
  PoolingOperation(PoolingFunction function, PoolingTies ties, PoolingShape shape)
      : function_(function), ties_(ties), shape_(shape) {}

  void forward(const Pass& pass, const CallMemory& call) const override {
    const PoolingShape shape = shape_of(pass);
    pass.device.pooling({.function = function_,
                         .shape = shape,
                         .in = {call.in[0], shape.in_count()},
                         .out = {call.out, shape.out_count()}});
  }
  void backward(const Pass& pass, const CallMemory& call) const override {
    if (call.in_gradients[0] == nullptr) return;
    const PoolingShape shape = shape_of(pass);
    pass.device.pooling_backward({.function = function_,
                                  .ties = ties_,
                                  .shape = shape,
                                  .in = {call.in[0], shape.in_count()},
                                  .out = {call.out, shape.out_count()},
                                  .out_gradient = {call.out_gradient, shape.out_count()},
                                  .in_gradient = {call.in_gradients[0], shape.in_count()}});
  }

 private:
  PoolingShape shape_of(const Pass& pass) const {
    PoolingShape shape = shape_;
    shape.examples = pass.examples;
    return shape;
  }

  const PoolingFunction function_;
  const PoolingTies ties_;
  const PoolingShape shape_;
};

constexpr const char* kImage = "an image of (height, width, channels)";
constexpr const char* kSequence = "a sequence of (length, channels)";

WindowAxis axis_of(std::int64_t size, std::int64_t window, std::int64_t stride, Padding padding,
                   const char* dimension, const LayerBuilder& builder) {
  if (window < 1 || stride < 0 || padding == Padding::kCausal) {
    builder.refuse(base::str_cat("along the ", dimension, " pool_size is ", window, " and strides ",
                                 stride, padding == Padding::kCausal ? ", padding kCausal" : ""),
                   "Give at least 1 (0 strides: as pool_size), and kValid or kSame");
  }
  if (window > size && padding == Padding::kValid) {
    builder.refuse(base::str_cat("its windows are ", window, " wide along the ", dimension,
                                 ", but its input has ", size),
                   "Use a smaller pool_size, or Padding::kSame");
  }
  const auto same =
      padding == Padding::kSame ? compute::WindowPadding::kSame : compute::WindowPadding::kValid;
  return compute::window_axis(static_cast<std::size_t>(size),
                              // What reaches beyond both ends covers no more.
                              static_cast<std::size_t>(std::min(window, 2 * size)), same,
                              {.stride = static_cast<std::size_t>(stride == 0 ? window : stride)});
}

void build_2d(PoolingFunction function, const std::array<std::int64_t, 2>& pool_size,
              const std::array<std::int64_t, 2>& strides, Padding padding, LayerBuilder& builder) {
  builder.take_floats(3, kImage);
  const Shape in = builder.input().shape;
  const PoolingShape shape{
      .height = axis_of(in[0], pool_size[0], strides[0], padding, "height", builder),
      .width = axis_of(in[1], pool_size[1], strides[1], padding, "width", builder),
      .channels = builder.columns()};
  builder.emit(std::make_unique<PoolingOperation>(function, PoolingTies::kFirst, shape),
               {static_cast<std::int64_t>(shape.height.out),
                static_cast<std::int64_t>(shape.width.out), in[2]});
}

void build_1d(PoolingFunction function, std::int64_t pool_size, std::int64_t strides,
              Padding padding, LayerBuilder& builder) {
  builder.take_floats(2, kSequence);
  const Shape in = builder.input().shape;
  const PoolingShape shape{.width = axis_of(in[0], pool_size, strides, padding, "length", builder),
                           .channels = builder.columns()};
  builder.emit(std::make_unique<PoolingOperation>(function, PoolingTies::kFirst, shape),
               {static_cast<std::int64_t>(shape.width.out), in[1]});
}

void build_global(PoolingFunction function, LayerBuilder& builder) {
  const Shape in = builder.input().shape;
  PoolingShape shape{.width = compute::window_over(static_cast<std::size_t>(in[in.size() - 2])),
                     .channels = builder.columns()};
  if (in.size() == 3) shape.height = compute::window_over(static_cast<std::size_t>(in[0]));
  builder.emit(std::make_unique<PoolingOperation>(function, PoolingTies::kShared, shape),
               {in.back()});
}

}  // namespace

void build(const MaxPooling2D& layer, LayerBuilder& builder) {
  build_2d(PoolingFunction::kMax, layer.pool_size, layer.strides, layer.padding, builder);
}
void build(const AveragePooling2D& layer, LayerBuilder& builder) {
  build_2d(PoolingFunction::kAverage, layer.pool_size, layer.strides, layer.padding, builder);
}
void build(const MaxPooling1D& layer, LayerBuilder& builder) {
  build_1d(PoolingFunction::kMax, layer.pool_size, layer.strides, layer.padding, builder);
}
void build(const AveragePooling1D& layer, LayerBuilder& builder) {
  build_1d(PoolingFunction::kAverage, layer.pool_size, layer.strides, layer.padding, builder);
}
void build(const GlobalMaxPooling2D& /*layer*/, LayerBuilder& builder) {
  builder.take_floats(3, kImage);
  build_global(PoolingFunction::kMax, builder);
}
void build(const GlobalAveragePooling2D& /*layer*/, LayerBuilder& builder) {
  builder.take_floats(3, kImage);
  build_global(PoolingFunction::kAverage, builder);
}
void build(const GlobalMaxPooling1D& /*layer*/, LayerBuilder& builder) {
  builder.take_floats(2, kSequence);
  build_global(PoolingFunction::kMax, builder);
}
void build(const GlobalAveragePooling1D& /*layer*/, LayerBuilder& builder) {
  builder.take_floats(2, kSequence);
  build_global(PoolingFunction::kAverage, builder);
}

}  // namespace dtrain::inline v0::model
