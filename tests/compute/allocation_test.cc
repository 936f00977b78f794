#include <gtest/gtest.h>

#include <vector>

#include "compute/cpu_device.h"
#include "support/allocations.h"

namespace dtrain::inline v0::compute {
namespace {

using Elements = std::vector<float>;

/// Memory of a convolution, which other operations on images use too.
struct Images {
  explicit Images(const ConvolutionShape& convolution_shape)
      : shape(convolution_shape),
        in(shape.in_count(), 0.5F),
        in_gradient(in.size()),
        kernel(shape.kernel_count(), 0.25F),
        kernel_gradient(kernel.size()),
        bias(shape.out_channels, 1.0F),
        bias_gradient(bias.size()),
        variance(bias.size()),
        out(shape.out_count()),
        out_gradient(out.size(), 0.1F) {}

  void convolve(Device& device) {
    device.convolution({.shape = shape, .in = in, .kernel = kernel, .bias = bias, .out = out});
    device.convolution_backward({.shape = shape,
                                 .in = in,
                                 .kernel = kernel,
                                 .out_gradient = out_gradient,
                                 .kernel_gradient = kernel_gradient,
                                 .bias_gradient = bias_gradient,
                                 .in_gradient = in_gradient});
  }
  void pool(Device& device) {
    const WindowAxis axis = window_axis(shape.height.in, 2, WindowPadding::kSame, {.stride = 2});
    const PoolingShape pooling{shape.examples, axis, axis, shape.in_channels};
    const auto pooled = std::span(out).first(pooling.out_count());
    for (const auto function : {PoolingFunction::kMax, PoolingFunction::kAverage}) {
      device.pooling({.function = function, .shape = pooling, .in = in, .out = pooled});
      device.pooling_backward({.function = function,
                               .shape = pooling,
                               .in = in,
                               .out = pooled,
                               .out_gradient = std::span(out_gradient).first(pooled.size()),
                               .in_gradient = in_gradient});
    }
  }
  void normalize(Device& device) {
    const std::size_t columns = shape.out_channels, rows = out.size() / columns;
    Elements& normal = out_gradient;
    device.batch_normalization({.in = {out.data(), rows, columns},
                                .mean = bias,
                                .variance = variance,
                                .out = {normal.data(), rows, columns}});
    device.batch_normalization_backward({.in = {out.data(), rows, columns},
                                         .mean = bias,
                                         .variance = variance,
                                         .out_gradient = {normal.data(), rows, columns},
                                         .in_gradient = {normal.data(), rows, columns}});
    device.layer_normalization(
        {.in = {out.data(), rows, columns}, .out = {normal.data(), rows, columns}});
  }

  ConvolutionShape shape;
  Elements in, in_gradient, kernel, kernel_gradient, bias, bias_gradient, variance;
  Elements out, out_gradient;
};

TEST(Allocation, OperationsAllocateNothingAfterTheFirstOfTheirSize) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns the allocator";
  const WindowAxis axis = window_axis(13, 3, WindowPadding::kSame, {.stride = 2});
  for (const int threads : {1, 2}) {
    const auto device = cpu_device({.threads = threads});
    Images images({30, axis, axis, 16, 32, 1}), smaller({3, axis, axis, 16, 32, 1});
    Images depthwise({30, axis, axis, 16, 32, 16});
    const auto all = [&] {
      for (Images* each : {&images, &smaller, &depthwise}) {
        each->convolve(*device);
        each->pool(*device);
        each->normalize(*device);
      }
    };
    const long before_first = support::allocations();
    all();
    EXPECT_GT(support::allocations(), before_first) << "the counter does not count";
    const long before = support::allocations();
    for (int i = 0; i < 3; ++i) all();
    EXPECT_EQ(support::allocations(), before) << threads << " threads";
  }
}

}  // namespace
}  // namespace dtrain::inline v0::compute
