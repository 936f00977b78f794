#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "compute/activation.h"
#include "model/layer_builder.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::model {
namespace {

using compute::ConvolutionShape;
using compute::WindowAxis;

/// What the convolution layers have in common.
struct ConvolutionSpec {
  ConvolutionShape shape;                       ///< Of one example.
  Shape kernel_shape;                           ///< As Keras shows the variable.
  Activation activation = Activation::kLinear;  ///< One that can be fused.
  bool use_bias = true;
  Initializer kernel_initializer;
  Initializer bias_initializer;
  Regularizer kernel_regularizer;
  Regularizer bias_regularizer;
};

class ConvolutionOperation final : public Operation {
 public:
  ConvolutionOperation(std::string name, ConvolutionSpec spec)
      : name_(std::move(name)), spec_(std::move(spec)) {}

  std::vector<VariableSpec> variables() const override {
    std::vector<VariableSpec> specs = {{.name = name_ + "/kernel",
                                        .shape = spec_.kernel_shape,
                                        .initializer = spec_.kernel_initializer,
                                        .regularizer = spec_.kernel_regularizer}};
    if (spec_.use_bias) {
      specs.push_back({.name = name_ + "/bias",
                       .shape = {static_cast<std::int64_t>(spec_.shape.out_channels)},
                       .initializer = spec_.bias_initializer,
                       .regularizer = spec_.bias_regularizer});
    }
    return specs;
  }
  void bind(std::span<const Place> places) override {
    kernel_ = places[0];
    if (spec_.use_bias) bias_ = places[1];
  }

  void forward(const Pass& pass, const CallMemory& call) const override {
    const ConvolutionShape shape = shape_of(pass);
    pass.device.convolution({.shape = shape,
                             .in = {call.in[0], shape.in_count()},
                             .kernel = pass.values.subspan(kernel_.offset, kernel_.count),
                             .bias = pass.values.subspan(bias_.offset, bias_.count),
                             .activation = spec_.activation,
                             .out = {call.out, shape.out_count()}});
  }

  void backward(const Pass& pass, const CallMemory& call) const override {
    const ConvolutionShape shape = shape_of(pass);
    if (spec_.activation != Activation::kLinear) {
      const std::size_t rows = shape.out_count() / shape.out_channels;
      const compute::Matrix gradient{call.out_gradient, rows, shape.out_channels};
      pass.device.activate_backward({.activation = spec_.activation,
                                     .out = {call.out, rows, shape.out_channels},
                                     .out_gradient = gradient,
                                     .in_gradient = gradient});
    }
    std::span<float> in_gradient;
    if (call.in_gradients[0] != nullptr) in_gradient = {call.in_gradients[0], shape.in_count()};
    pass.device.convolution_backward(
        {.shape = shape,
         .in = {call.in[0], shape.in_count()},
         .kernel = pass.values.subspan(kernel_.offset, kernel_.count),
         .out_gradient = {call.out_gradient, shape.out_count()},
         .kernel_gradient = pass.gradients.subspan(kernel_.offset, kernel_.count),
         .bias_gradient = pass.gradients.subspan(bias_.offset, bias_.count),
         .in_gradient = in_gradient});
  }

 private:
  ConvolutionShape shape_of(const Pass& pass) const {
    ConvolutionShape shape = spec_.shape;
    shape.examples = pass.examples;
    return shape;
  }

  const std::string name_;
  const ConvolutionSpec spec_;
  Place kernel_;
  Place bias_;
};

compute::WindowPadding padding_of(Padding padding) {
  switch (padding) {
    case Padding::kSame:
      return compute::WindowPadding::kSame;
    case Padding::kCausal:
      return compute::WindowPadding::kCausal;
    case Padding::kValid:
      break;
  }
  return compute::WindowPadding::kValid;
}

/// A layer's window along one dimension, checked. `size` is the input's.
WindowAxis axis_of(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                   std::int64_t dilation, Padding padding, const char* dimension,
                   const LayerBuilder& builder) {
  constexpr std::int64_t kMax = std::int64_t{1} << 30;  // no place in a window overflows
  const bool sane = kernel >= 1 && kernel <= kMax && dilation >= 1 && dilation <= kMax;
  if (!sane || stride < 1 || (kernel - 64) / 4 > size) {
    builder.refuse(base::str_cat("along the ", dimension, " kernel_size is ", kernel, ", strides ",
                                 stride, " and dilation_rate ", dilation),
                   "Give at least 1 of each, and a kernel that is not far larger than its input");
  }
  const WindowAxis axis = compute::window_axis(
      static_cast<std::size_t>(size), static_cast<std::size_t>(kernel), padding_of(padding),
      {static_cast<std::size_t>(stride), static_cast<std::size_t>(dilation)});
  if (axis.out == 0) {
    builder.refuse(base::str_cat("its kernel covers ", axis.extent(), " positions of the ",
                                 dimension, ", but its input has ", size),
                   "Use a smaller kernel, or Padding::kSame");
  }
  return axis;
}

/// Finishes a layer whose shape is known: `out` is the shape of its result.
template <typename Kind>
void emit_convolution(const Kind& layer, ConvolutionSpec spec, Shape out, LayerBuilder& builder) {
  builder.check_size(spec.kernel_shape,
                     base::str_cat("kernels of the shape ", tensor::to_string(spec.kernel_shape)));
  builder.check_size(out, base::str_cat("outputs of the shape ", tensor::to_string(out)));
  builder.check(spec.kernel_initializer, "kernel_initializer");
  builder.check(spec.bias_initializer, "bias_initializer");
  builder.check(spec.kernel_regularizer, "kernel_regularizer");
  builder.check(spec.bias_regularizer, "bias_regularizer");
  if (fuses(layer.activation, builder)) spec.activation = layer.activation;
  const bool fused = spec.activation == layer.activation;
  builder.emit(std::make_unique<ConvolutionOperation>(builder.name(), std::move(spec)),
               std::move(out));
  if (!fused) build_activation(layer.activation, builder);
}

template <typename Kind>
ConvolutionSpec spec_of(const Kind& layer) {
  return {.use_bias = layer.use_bias,
          .kernel_initializer = layer.kernel_initializer,
          .bias_initializer = layer.bias_initializer,
          .kernel_regularizer = layer.kernel_regularizer,
          .bias_regularizer = layer.bias_regularizer};
}

/// Channels and groups of Conv1D and Conv2D.
template <typename Kind>
void set_channels(const Kind& layer, ConvolutionShape& shape, const LayerBuilder& builder) {
  const std::size_t channels = builder.columns();
  if (layer.filters < 1) {
    builder.refuse(base::str_cat("filters is ", layer.filters), "Give at least 1");
  }
  const auto groups = static_cast<std::size_t>(layer.groups);
  const auto filters = static_cast<std::size_t>(layer.filters);
  if (layer.groups < 1 || channels % groups != 0 || filters % groups != 0) {
    builder.refuse(base::str_cat("groups is ", layer.groups, ", filters ", layer.filters,
                                 ", and its input has ", channels, " channels"),
                   "Let groups divide both of the others");
  }
  shape.in_channels = channels;
  shape.out_channels = filters;
  shape.groups = groups;
}

constexpr const char* kImage = "an image of (height, width, channels)";
constexpr const char* kSequence = "a sequence of (length, channels)";

void refuse_causal(Padding padding, const LayerBuilder& builder) {
  if (padding != Padding::kCausal) return;
  builder.refuse("padding is kCausal", "That is for Conv1D: give kValid or kSame");
}

}  // namespace

void build(const Conv2D& layer, LayerBuilder& builder) {
  builder.take_floats(3, kImage);
  refuse_causal(layer.padding, builder);
  const Shape& in = builder.input().shape;
  ConvolutionSpec spec = spec_of(layer);
  set_channels(layer, spec.shape, builder);
  spec.shape.height = axis_of(in[0], layer.kernel_size[0], layer.strides[0], layer.dilation_rate[0],
                              layer.padding, "height", builder);
  spec.shape.width = axis_of(in[1], layer.kernel_size[1], layer.strides[1], layer.dilation_rate[1],
                             layer.padding, "width", builder);
  spec.kernel_shape = {layer.kernel_size[0], layer.kernel_size[1], in[2] / layer.groups,
                       layer.filters};
  Shape out = {static_cast<std::int64_t>(spec.shape.height.out),
               static_cast<std::int64_t>(spec.shape.width.out), layer.filters};
  emit_convolution(layer, std::move(spec), std::move(out), builder);
}

void build(const Conv1D& layer, LayerBuilder& builder) {
  builder.take_floats(2, kSequence);
  const Shape& in = builder.input().shape;
  ConvolutionSpec spec = spec_of(layer);
  set_channels(layer, spec.shape, builder);
  spec.shape.width = axis_of(in[0], layer.kernel_size, layer.strides, layer.dilation_rate,
                             layer.padding, "length", builder);
  spec.kernel_shape = {layer.kernel_size, in[1] / layer.groups, layer.filters};
  Shape out = {static_cast<std::int64_t>(spec.shape.width.out), layer.filters};
  emit_convolution(layer, std::move(spec), std::move(out), builder);
}

void build(const DepthwiseConv2D& layer, LayerBuilder& builder) {
  builder.take_floats(3, kImage);
  refuse_causal(layer.padding, builder);
  const Shape& in = builder.input().shape;
  if (layer.depth_multiplier < 1) {
    builder.refuse(base::str_cat("depth_multiplier is ", layer.depth_multiplier),
                   "Give at least 1");
  }
  ConvolutionSpec spec{.use_bias = layer.use_bias,
                       .kernel_initializer = layer.depthwise_initializer,
                       .bias_initializer = layer.bias_initializer,
                       .kernel_regularizer = layer.depthwise_regularizer,
                       .bias_regularizer = layer.bias_regularizer};
  spec.shape.height = axis_of(in[0], layer.kernel_size[0], layer.strides[0], layer.dilation_rate[0],
                              layer.padding, "height", builder);
  spec.shape.width = axis_of(in[1], layer.kernel_size[1], layer.strides[1], layer.dilation_rate[1],
                             layer.padding, "width", builder);
  spec.kernel_shape = {layer.kernel_size[0], layer.kernel_size[1], in[2], layer.depth_multiplier};
  builder.check_size({in[2], layer.depth_multiplier}, "its output channels");
  const std::int64_t channels = in[2] * layer.depth_multiplier;
  spec.shape.in_channels = static_cast<std::size_t>(in[2]);
  spec.shape.out_channels = static_cast<std::size_t>(channels);
  spec.shape.groups = spec.shape.in_channels;
  Shape out = {static_cast<std::int64_t>(spec.shape.height.out),
               static_cast<std::int64_t>(spec.shape.width.out), channels};
  emit_convolution(layer, std::move(spec), std::move(out), builder);
}

}  // namespace dtrain::inline v0::model
