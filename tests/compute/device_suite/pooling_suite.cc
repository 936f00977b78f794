#include <cmath>
#include <limits>

#include "device_suite.h"
#include "support/seed.h"

namespace dtrain::inline v0::compute {
namespace {

constexpr WindowPadding kValid = WindowPadding::kValid;
constexpr WindowPadding kSame = WindowPadding::kSame;

Elements pooled(Device& device, PoolingFunction function, const PoolingShape& shape,
                const Elements& in) {
  const OnDevice<float> x(device, in), out(device, Elements(shape.out_count(), 7.0F));
  device.pooling({.function = function, .shape = shape, .in = x.span(), .out = out.span()});
  return out.host();
}

Elements gradient_of(Device& device, PoolingFunction function, const PoolingShape& shape,
                     const Elements& in, const Elements& out_gradient,
                     PoolingTies ties = PoolingTies::kFirst) {
  const OnDevice<float> x(device, in), out(device, pooled(device, function, shape, in));
  const OnDevice<float> gradient(device, out_gradient);
  const OnDevice<float> in_gradient(device, Elements(in.size(), 7.0F));
  device.pooling_backward({.function = function,
                           .ties = ties,
                           .shape = shape,
                           .in = x.span(),
                           .out = out.span(),
                           .out_gradient = gradient.span(),
                           .in_gradient = in_gradient.span()});
  return in_gradient.host();
}

/// Calls work(out, places in the input) for every window and channel.
template <typename Work>
void for_each_window(const PoolingShape& s, const Work& work) {
  std::vector<std::size_t> places;
  for (std::size_t out = 0; out < s.out_count(); ++out) {
    const std::size_t c = out % s.channels, ox = out / s.channels % s.width.out;
    const std::size_t oy = out / s.channels / s.width.out % s.height.out;
    const std::size_t n = out / s.channels / s.width.out / s.height.out;
    places.clear();
    for (std::size_t ky = 0; ky < s.height.window; ++ky) {
      for (std::size_t kx = 0; kx < s.width.window; ++kx) {
        // Wraps around, and is not below the size, in front of the image.
        const std::size_t y = oy * s.height.stride + ky - s.height.padding;
        const std::size_t x = ox * s.width.stride + kx - s.width.padding;
        if (y >= s.height.in || x >= s.width.in) continue;
        places.push_back(((n * s.height.in + y) * s.width.in + x) * s.channels + c);
      }
    }
    work(out, places);
  }
}

std::vector<PoolingShape> shapes() {
  const WindowAxis two = window_axis(13, 2, kValid, {.stride = 2});
  const WindowAxis three = window_axis(10, 3, kSame, {.stride = 2});
  return {
      {3, two, two, 16},
      {2, window_axis(8, 2, kValid, {.stride = 2}), window_axis(6, 2, kValid, {.stride = 2}), 67},
      {2, window_axis(7, 2, kValid), window_axis(5, 2, kSame, {.stride = 2}), 3},
      {2, three, window_axis(7, 3, kSame), 5},
      {2, window_axis(9, 2, kValid, {.stride = 4}), window_axis(9, 4, kSame, {.stride = 3}), 20},
      {3, WindowAxis{}, window_axis(15, 4, kSame, {.stride = 2}), 9},
      {2, window_over(7), window_over(5), 130},
      {40, two, two, 24},
  };
}

TEST_P(DeviceSuite, PoolingAndItsGradientsAgreeWithDouble) {
  const std::uint64_t seed = support::seed();
  for (const PoolingShape& shape : shapes()) {
    SCOPED_TRACE(testing::Message()
                 << shape.height.in << " x " << shape.width.in << " x " << shape.channels << ", "
                 << shape.height.window << " x " << shape.width.window);
    const Elements in = random_floats(shape.in_count(), seed);
    const Elements out_gradient = random_floats(shape.out_count(), seed + 1);
    const Elements largest = pooled(*device_, PoolingFunction::kMax, shape, in);
    const Elements average = pooled(*device_, PoolingFunction::kAverage, shape, in);
    std::vector<double> largest_gradient(in.size()), average_gradient(in.size());
    for_each_window(shape, [&](std::size_t out, const std::vector<std::size_t>& places) {
      std::size_t best = places[0];
      double sum = 0;
      for (const std::size_t place : places) {
        if (in[place] > in[best]) best = place;
        sum += static_cast<double>(in[place]);
      }
      const auto gradient = static_cast<double>(out_gradient[out]);
      const auto count = static_cast<double>(places.size());
      largest_gradient[best] += gradient;
      for (const std::size_t place : places) average_gradient[place] += gradient / count;
      ASSERT_EQ(largest[out], in[best]);
      ASSERT_NEAR(average[out], sum / count, 1e-6);
    });
    const Elements of_largest =
        gradient_of(*device_, PoolingFunction::kMax, shape, in, out_gradient);
    const Elements of_average =
        gradient_of(*device_, PoolingFunction::kAverage, shape, in, out_gradient);
    for (std::size_t i = 0; i < in.size(); ++i) {
      ASSERT_NEAR(of_largest[i], largest_gradient[i], 1e-6) << i;
      ASSERT_NEAR(of_average[i], average_gradient[i], 1e-6) << i;
    }
  }
}

TEST_P(DeviceSuite, TheFirstOfEqualsGetsTheGradientOfPooling) {
  const WindowAxis axis = window_axis(4, 2, kValid, {.stride = 2});
  // Four windows: all equal, the last two, the second and fourth, and zeros of both signs.
  const Elements in = {1, 1, 0, 0,      //
                       1, 1, 2, 2,      //
                       0, 3, 0, -0.0F,  //
                       0, 3, 0, 0};
  EXPECT_EQ(gradient_of(*device_, PoolingFunction::kMax, {1, axis, axis, 1}, in, {10, 20, 30, 40}),
            (Elements{10, 0, 0, 0,   //
                      0, 0, 20, 0,   //
                      0, 30, 40, 0,  //
                      0, 0, 0, 0}));
  const WindowAxis three = window_axis(3, 3, kValid);
  EXPECT_EQ(gradient_of(*device_, PoolingFunction::kMax, {1, three, three, 1},
                        {0, 0, 5, 0, 5, 0, 5, 0, 0}, {7}),
            (Elements{0, 0, 7, 0, 0, 0, 0, 0, 0}));
}

TEST_P(DeviceSuite, EqualsShareTheGradientOfGlobalPooling) {
  const PoolingShape shape{1, window_over(2), window_over(3), 2};
  const Elements in = {5, 1, 2, 3, 5, 3, 0, 3, 1, 0, 5, 0};
  EXPECT_EQ(gradient_of(*device_, PoolingFunction::kMax, shape, in, {12, 9}, PoolingTies::kShared),
            (Elements{4, 0, 0, 3, 4, 3, 0, 3, 0, 0, 4, 0}));
}

TEST_P(DeviceSuite, PoolingKeepsNan) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const std::size_t window : {2UL, 3UL}) {
    const WindowAxis axis = window_axis(3, window, kValid, {.stride = 3});
    for (std::size_t at = 0; at < window; ++at) {
      Elements in(9, 1.0F);
      in[at * 4] = kNan;
      for (const auto function : {PoolingFunction::kMax, PoolingFunction::kAverage}) {
        EXPECT_TRUE(std::isnan(pooled(*device_, function, {1, axis, axis, 1}, in)[0]));
      }
    }
  }
}

}  // namespace
}  // namespace dtrain::inline v0::compute
