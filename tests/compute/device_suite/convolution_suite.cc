#include <cmath>

#include "device_suite.h"
#include "support/seed.h"

namespace dtrain::inline v0::compute {
namespace {

/// Calls work(out, in, kernel) with the indices of all products of a convolution.
template <typename Work>
void for_each_product(const ConvolutionShape& s, const Work& work) {
  const std::size_t group_in = s.in_channels / s.groups, group_out = s.out_channels / s.groups;
  for (std::size_t n = 0; n < s.examples; ++n)
    for (std::size_t oy = 0; oy < s.height.out; ++oy)
      for (std::size_t ox = 0; ox < s.width.out; ++ox)
        for (std::size_t ky = 0; ky < s.height.window; ++ky)
          for (std::size_t kx = 0; kx < s.width.window; ++kx) {
            // Wraps around, and is not below the size, in front of the image.
            const std::size_t y = oy * s.height.stride + ky * s.height.dilation - s.height.padding;
            const std::size_t x = ox * s.width.stride + kx * s.width.dilation - s.width.padding;
            if (y >= s.height.in || x >= s.width.in) continue;
            for (std::size_t f = 0; f < s.out_channels; ++f)
              for (std::size_t c = 0; c < group_in; ++c) {
                work(((n * s.height.out + oy) * s.width.out + ox) * s.out_channels + f,
                     ((n * s.height.in + y) * s.width.in + x) * s.in_channels +
                         f / group_out * group_in + c,
                     ((ky * s.width.window + kx) * group_in + c) * s.out_channels + f);
              }
          }
}

void expect_near(const Elements& got, const std::vector<double>& wanted, std::size_t terms,
                 const char* what) {
  ASSERT_EQ(got.size(), wanted.size()) << what;
  const double tolerance = 2e-6 * std::sqrt(static_cast<double>(terms)) + 2e-6;
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], wanted[i], tolerance * std::max(1.0, std::abs(wanted[i])))
        << what << ", element " << i;
  }
}

struct Sums {
  std::vector<double> out, kernel, bias, in;
};

struct Operands {
  explicit Operands(const ConvolutionShape& shape, std::uint64_t seed)
      : in(random_floats(shape.in_count(), seed)),
        kernel(random_floats(shape.kernel_count(), seed + 1)),
        bias(random_floats(shape.out_channels, seed + 2)),
        out_gradient(random_floats(shape.out_count(), seed + 3)) {}

  Elements in, kernel, bias, out_gradient;
};

Sums reference(const ConvolutionShape& shape, const Operands& x) {
  Sums sums{.out = std::vector<double>(shape.out_count()),
            .kernel = std::vector<double>(shape.kernel_count()),
            .bias = std::vector<double>(shape.out_channels),
            .in = std::vector<double>(shape.in_count())};
  for (std::size_t i = 0; i < shape.out_count(); ++i) {
    sums.out[i] = static_cast<double>(x.bias[i % shape.out_channels]);
    sums.bias[i % shape.out_channels] += static_cast<double>(x.out_gradient[i]);
  }
  for_each_product(shape, [&](std::size_t out, std::size_t in, std::size_t kernel) {
    const auto gradient = static_cast<double>(x.out_gradient[out]);
    sums.out[out] += static_cast<double>(x.in[in]) * static_cast<double>(x.kernel[kernel]);
    sums.kernel[kernel] += static_cast<double>(x.in[in]) * gradient;
    sums.in[in] += static_cast<double>(x.kernel[kernel]) * gradient;
  });
  return sums;
}

struct Results {
  Elements out, kernel, bias, in;
  bool operator==(const Results&) const = default;
};

Results run(Device& device, const ConvolutionShape& shape, const Operands& x) {
  const OnDevice<float> in(device, x.in), kernel(device, x.kernel), bias(device, x.bias);
  const OnDevice<float> out_gradient(device, x.out_gradient);
  const OnDevice<float> out(device, Elements(shape.out_count(), 7.0F));
  const OnDevice<float> kernel_gradient(device, Elements(shape.kernel_count(), 7.0F));
  const OnDevice<float> bias_gradient(device, Elements(shape.out_channels, 7.0F));
  const OnDevice<float> in_gradient(device, Elements(shape.in_count(), 7.0F));
  device.convolution({.shape = shape,
                      .in = in.span(),
                      .kernel = kernel.span(),
                      .bias = bias.span(),
                      .out = out.span()});
  device.convolution_backward({.shape = shape,
                               .in = in.span(),
                               .kernel = kernel.span(),
                               .out_gradient = out_gradient.span(),
                               .kernel_gradient = kernel_gradient.span(),
                               .bias_gradient = bias_gradient.span(),
                               .in_gradient = in_gradient.span()});
  return {out.host(), kernel_gradient.host(), bias_gradient.host(), in_gradient.host()};
}

constexpr WindowPadding kValid = WindowPadding::kValid;
constexpr WindowPadding kSame = WindowPadding::kSame;

std::vector<ConvolutionShape> shapes() {
  const WindowAxis one{};
  const WindowAxis causal = window_axis(37, 3, WindowPadding::kCausal, {.dilation = 4});
  const WindowAxis strided = window_axis(37, 5, kSame, {.stride = 2});
  return {
      // The first and second of a small network for pictures of digits.
      {3, window_axis(28, 3, kValid), window_axis(28, 3, kValid), 1, 16, 1},
      {5, window_axis(13, 3, kValid), window_axis(13, 3, kValid), 16, 32, 1},
      // Padding, strides and dilation that differ in height and width.
      {2, window_axis(9, 3, kSame), window_axis(8, 4, kSame), 3, 10, 1},
      {2, window_axis(9, 3, kSame, {.stride = 2}), window_axis(11, 5, kSame, {.stride = 3}), 4, 7,
       1},
      {2, window_axis(12, 3, kSame, {.dilation = 2}), window_axis(9, 2, kValid, {.dilation = 3}), 5,
       33, 1},
      {1, window_axis(9, 2, kValid, {.stride = 3}), window_axis(10, 1, kValid, {.stride = 4}), 3, 5,
       1},
      {1, window_axis(11, 3, kSame, {.stride = 2, .dilation = 2}),
       window_axis(7, 3, kSame, {.stride = 3, .dilation = 2}), 2, 4, 1},
      // One window, larger than what is there; one pixel.
      {2, window_axis(2, 5, kSame), window_axis(3, 5, kSame), 3, 4, 1},
      {4, one, one, 30, 20, 1},
      // One dimension.
      {3, one, causal, 6, 9, 1},
      {3, one, strided, 6, 20, 1},
      // Groups, and one for each channel.
      {2, window_axis(7, 3, kSame), window_axis(6, 3, kSame, {.stride = 2}), 6, 9, 3},
      {2, window_axis(7, 3, kSame), window_axis(6, 3, kValid), 64, 40, 2},
      {2, window_axis(7, 3, kSame), window_axis(9, 3, kValid), 19, 19, 19},
      {2, window_axis(8, 3, kSame, {.stride = 2}), window_axis(9, 3, kSame, {.stride = 2}), 11, 33,
       11},
      {2, one, window_axis(30, 3, WindowPadding::kCausal, {.dilation = 2}), 16, 32, 16},
      // Enough to be worth several threads.
      {40, window_axis(12, 3, kSame), window_axis(12, 3, kSame), 8, 24, 1},
      {40, window_axis(12, 3, kSame), window_axis(12, 3, kSame), 24, 48, 24},
  };
}

TEST_P(DeviceSuite, ConvolutionsAndTheirGradientsAgreeWithSumsInDouble) {
  const std::uint64_t seed = support::seed();
  for (const ConvolutionShape& shape : shapes()) {
    SCOPED_TRACE(testing::Message()
                 << shape.height.in << " x " << shape.width.in << " x " << shape.in_channels
                 << ", window " << shape.height.window << " x " << shape.width.window << ", "
                 << shape.out_channels << " in " << shape.groups);
    const Operands operands(shape, seed);
    const Sums wanted = reference(shape, operands);
    const Results got = run(*device_, shape, operands);
    const std::size_t window = shape.height.window * shape.width.window;
    expect_near(got.out, wanted.out, window * shape.in_channels, "out");
    expect_near(got.kernel, wanted.kernel, shape.out_count() / shape.out_channels, "kernel");
    expect_near(got.bias, wanted.bias, shape.out_count() / shape.out_channels, "bias");
    expect_near(got.in, wanted.in, window * shape.out_channels, "in");
    EXPECT_EQ(got, run(*device_, shape, operands)) << "a second run has other bits";
  }
}

// Made by Keras: Conv2D(1, 2, strides=2, padding="same") over 0, 1, ..., 8 in a square.
TEST_P(DeviceSuite, ConvolutionLiesWhereKerasHasIt) {
  const WindowAxis axis = window_axis(3, 2, kSame, {.stride = 2});
  const ConvolutionShape shape{1, axis, axis, 1, 1, 1};
  const OnDevice<float> in(*device_, {0, 1, 2, 3, 4, 5, 6, 7, 8});
  const OnDevice<float> kernel(*device_, {1, 10, 100, 1000}), out(*device_, Elements(4));
  device_->convolution(
      {.shape = shape, .in = in.span(), .kernel = kernel.span(), .out = out.span()});
  EXPECT_EQ(out.host(), (Elements{4310, 502, 76, 8}));
}

TEST_P(DeviceSuite, ConvolutionAppliesItsActivation) {
  const ConvolutionShape shape{2, window_axis(6, 3, kValid), window_axis(6, 3, kValid), 2, 5, 1};
  const Operands operands(shape, support::seed());
  const Elements plain = run(*device_, shape, operands).out;
  const OnDevice<float> in(*device_, operands.in), kernel(*device_, operands.kernel);
  const OnDevice<float> bias(*device_, operands.bias), out(*device_, Elements(plain.size()));
  for (const Activation activation : {Activation::kRelu, Activation::kTanh}) {
    device_->convolution({.shape = shape,
                          .in = in.span(),
                          .kernel = kernel.span(),
                          .bias = bias.span(),
                          .activation = activation,
                          .out = out.span()});
    const Elements got = out.host();
    for (std::size_t i = 0; i < plain.size(); ++i) {
      ASSERT_NEAR(got[i], activation_reference(activation, static_cast<double>(plain[i])), 1e-6);
    }
  }
}

TEST_P(DeviceSuite, ConvolutionComputesTheGradientsThatAreWanted) {
  const ConvolutionShape shape{2, window_axis(6, 3, kSame), window_axis(6, 3, kSame), 3, 5, 1};
  const Operands operands(shape, support::seed());
  const Results all = run(*device_, shape, operands);
  const OnDevice<float> in(*device_, operands.in), kernel(*device_, operands.kernel);
  const OnDevice<float> out_gradient(*device_, operands.out_gradient);
  const OnDevice<float> gradient(*device_, operands.kernel), bias(*device_, operands.bias);
  const OnDevice<float> in_gradient(*device_, operands.in);
  device_->convolution_backward({.shape = shape,
                                 .in = in.span(),
                                 .out_gradient = out_gradient.span(),
                                 .kernel_gradient = gradient.span()});
  device_->convolution_backward(
      {.shape = shape, .out_gradient = out_gradient.span(), .bias_gradient = bias.span()});
  device_->convolution_backward({.shape = shape,
                                 .kernel = kernel.span(),
                                 .out_gradient = out_gradient.span(),
                                 .in_gradient = in_gradient.span()});
  EXPECT_EQ(gradient.host(), all.kernel);
  EXPECT_EQ(bias.host(), all.bias);
  EXPECT_EQ(in_gradient.host(), all.in);
}

}  // namespace
}  // namespace dtrain::inline v0::compute
