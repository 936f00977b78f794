#pragma once

#include <cstddef>
#include <span>

#include "compute/window.h"
#include "dtrain/activation.h"

namespace dtrain::inline v0::compute {

/// Two-dimensional; one with a height of 1 is one-dimensional. Images are (examples, height, width,
/// channels), kernels (height, width, in_channels / groups, out_channels), as Keras lays them out.
/// Group g of the output channels sees group g of the input channels. A depthwise convolution has a
/// group for each input channel, and Keras's (height, width, in_channels, multiplier) is its
/// kernel.
struct ConvolutionShape {
  std::size_t examples = 1;
  WindowAxis height;
  WindowAxis width;
  std::size_t in_channels = 1;
  std::size_t out_channels = 1;
  std::size_t groups = 1;  ///< Divides both numbers of channels.

  std::size_t in_count() const { return examples * height.in * width.in * in_channels; }
  std::size_t out_count() const { return examples * height.out * width.out * out_channels; }
  std::size_t kernel_count() const {
    return height.window * width.window * (in_channels / groups) * out_channels;
  }
};

/// out = activation(windows of in · kernel + bias).
struct ConvolutionPass {
  ConvolutionShape shape;
  std::span<const float> in;
  std::span<const float> kernel;
  std::span<const float> bias = {};             ///< One per output channel; empty for none.
  Activation activation = Activation::kLinear;  ///< None over rows; with its default constant.
  std::span<float> out;                         ///< Overlaps none of the others.
};

/// Gradients from out_gradient, that of the result before its activation. What is empty is not
/// wanted. No two overlap. The input's is written first: the kernel is not read after that.
struct ConvolutionBackwardPass {
  ConvolutionShape shape;
  std::span<const float> in;
  std::span<const float> kernel;
  std::span<const float> out_gradient;
  std::span<float> kernel_gradient = {};
  std::span<float> bias_gradient = {};
  std::span<float> in_gradient = {};
};

}  // namespace dtrain::inline v0::compute
