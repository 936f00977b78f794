#include <cmath>
#include <limits>

#include "device_suite.h"
#include "support/seed.h"

namespace dtrain::inline v0::compute {
namespace {

TEST_P(DeviceSuite, InputsAreAddedAndMultiplied) {
  const std::uint64_t seed = support::seed();
  const std::size_t count = 40'001;
  const Elements a = random_floats(count, seed), b = random_floats(count, seed + 1);
  const Elements c = random_floats(count, seed + 2);
  const OnDevice<float> on_a(*device_, a), on_b(*device_, b), on_c(*device_, c), out(*device_, a);
  const std::span<const float> inputs[] = {on_a.span(), on_b.span(), on_c.span()};
  device_->combine({.function = CombineFunction::kAdd, .inputs = inputs, .out = out.span()});
  const Elements sum = out.host();
  device_->combine({.function = CombineFunction::kMultiply, .inputs = inputs, .out = out.span()});
  const Elements product = out.host();
  device_->combine({.inputs = std::span(inputs).first(1), .out = out.span()});
  EXPECT_EQ(out.host(), a);
  device_->combine({.inputs = inputs, .out = on_a.span()});
  EXPECT_EQ(on_a.host(), sum);
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_EQ(sum[i], a[i] + b[i] + c[i]);
    ASSERT_EQ(product[i], a[i] * b[i] * c[i]);
  }
}

TEST_P(DeviceSuite, ElementsAreScaled) {
  const OnDevice<float> x(*device_, {1, -2, 4});
  device_->scale(x.span(), 0.5F, x.span());
  EXPECT_EQ(x.host(), (Elements{0.5F, -1, 2}));
}

TEST_P(DeviceSuite, RowsAreCopiedIntoAConcatenationAndBack) {
  // (2, 2) and (2, 3) side by side.
  const OnDevice<float> left(*device_, {1, 2, 3, 4}), right(*device_, {5, 6, 7, 8, 9, 10});
  const OnDevice<float> both(*device_, Elements(10));
  device_->copy_rows({.rows = 2,
                      .columns = 2,
                      .from = left.span().data(),
                      .from_stride = 2,
                      .to = both.span().data(),
                      .to_stride = 5});
  device_->copy_rows({.rows = 2,
                      .columns = 3,
                      .from = right.span().data(),
                      .from_stride = 3,
                      .to = both.span().data() + 2,
                      .to_stride = 5});
  EXPECT_EQ(both.host(), (Elements{1, 2, 5, 6, 7, 3, 4, 8, 9, 10}));
  const OnDevice<float> part(*device_, Elements(6));
  device_->copy_rows({.rows = 2,
                      .columns = 3,
                      .from = both.span().data() + 2,
                      .from_stride = 5,
                      .to = part.span().data(),
                      .to_stride = 3});
  EXPECT_EQ(part.host(), right.host());
}

TEST_P(DeviceSuite, BroadcastRepeatsAndItsGradientIsTheSum) {
  const std::size_t out_shape[] = {2, 3, 2, 2};
  const Elements gradient = random_floats(24, support::seed());
  const OnDevice<float> out_gradient(*device_, gradient);
  for (std::size_t kept = 0; kept < 16; ++kept) {
    // A dimension is there where its bit is set, and of size 1 where not.
    std::size_t in_shape[4], step[4], count = 1;
    for (std::size_t i = 4; i-- > 0;) {
      in_shape[i] = (kept >> i & 1) != 0 ? out_shape[i] : 1;
      step[i] = in_shape[i] == 1 ? 0 : count;
      count *= in_shape[i];
    }
    Elements x(count);
    for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<float>(i);
    const OnDevice<float> in(*device_, x), out(*device_, Elements(24));
    const OnDevice<float> in_gradient(*device_, Elements(count, 7.0F));
    device_->broadcast(
        {.in_shape = in_shape, .out_shape = out_shape, .in = in.span(), .out = out.span()});
    device_->broadcast_backward({.in_shape = in_shape,
                                 .out_shape = out_shape,
                                 .out_gradient = out_gradient.span(),
                                 .in_gradient = in_gradient.span()});
    const Elements got = out.host(), got_gradient = in_gradient.host();
    std::vector<double> wanted(count);
    for (std::size_t i = 0; i < 24; ++i) {
      const std::size_t at =
          i / 12 * step[0] + i / 4 % 3 * step[1] + i / 2 % 2 * step[2] + i % 2 * step[3];
      ASSERT_EQ(got[i], x[at]) << "kept " << kept << ", element " << i;
      wanted[at] += static_cast<double>(gradient[i]);
    }
    for (std::size_t i = 0; i < count; ++i) ASSERT_NEAR(got_gradient[i], wanted[i], 1e-5);
  }
}

std::vector<double> dots(const DotShape& s, const std::vector<double>& left,
                         const std::vector<double>& right) {
  std::vector<double> out;
  for (std::size_t e = 0; e < s.examples; ++e) {
    for (std::size_t i = 0; i < s.left_rows; ++i) {
      for (std::size_t j = 0; j < s.right_rows; ++j) {
        double sum = 0;
        for (std::size_t k = 0; k < s.depth; ++k) {
          sum += left[(e * s.left_rows + i) * s.depth + k] *
                 right[(e * s.right_rows + j) * s.depth + k];
        }
        out.push_back(sum);
      }
    }
  }
  return out;
}

TEST_P(DeviceSuite, DotsAndTheirGradientsAgreeWithDouble) {
  const std::uint64_t seed = support::seed();
  for (const DotShape& shape : {DotShape{5, 1, 1, 37}, DotShape{3, 4, 6, 5}, DotShape{2, 1, 3, 9},
                                DotShape{2, 7, 1, 3}, DotShape{70, 9, 20, 33}}) {
    const Elements left = random_floats(shape.left_count(), seed);
    const Elements right = random_floats(shape.right_count(), seed + 1);
    const Elements out_gradient = random_floats(shape.out_count(), seed + 2);
    const std::vector<double> wide_left(left.begin(), left.end());
    const std::vector<double> wide_right(right.begin(), right.end());
    const OnDevice<float> on_left(*device_, left), on_right(*device_, right);
    const OnDevice<float> gradient(*device_, out_gradient), out(*device_, out_gradient);
    const OnDevice<float> left_gradient(*device_, left), right_gradient(*device_, right);
    device_->dot(
        {.shape = shape, .left = on_left.span(), .right = on_right.span(), .out = out.span()});
    const Elements got = out.host();
    const std::vector<double> wanted = dots(shape, wide_left, wide_right);
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], wanted[i], 1e-5);
    device_->dot_backward({.shape = shape,
                           .left = on_left.span(),
                           .right = on_right.span(),
                           .out_gradient = gradient.span(),
                           .left_gradient = left_gradient.span(),
                           .right_gradient = right_gradient.span()});
    const std::size_t every = left.size() / 30 + 1;
    expect_slopes(
        left_gradient.host(), left,
        [&](const auto& x) { return weighted(dots(shape, x, wide_right), out_gradient); }, every);
    expect_slopes(
        right_gradient.host(), right,
        [&](const auto& x) { return weighted(dots(shape, wide_left, x), out_gradient); }, every);
  }
}

TEST_P(DeviceSuite, PenaltiesFollowKeras) {
  const Penalty penalty{.l1 = 0.5F, .l2 = 0.25F};
  const OnDevice<float> values(*device_, {1, -2, 0, 4}), gradients(*device_, {1, 1, 1, 1});
  EXPECT_DOUBLE_EQ(device_->penalty(penalty, values.span()), 0.5 * 7 + 0.25 * 21);
  EXPECT_DOUBLE_EQ(device_->penalty({.l1 = 0.5F}, values.span()), 3.5);
  device_->penalty_gradient(penalty, values.span(), gradients.span());
  EXPECT_EQ(gradients.host(), (Elements{2, -0.5F, 1, 3.5F}));

  const Elements many = random_floats(70'001, support::seed());
  double absolutes = 0, squares = 0;
  for (const float x : many) {
    absolutes += std::abs(static_cast<double>(x));
    squares += static_cast<double>(x) * static_cast<double>(x);
  }
  const OnDevice<float> on_many(*device_, many);
  EXPECT_NEAR(device_->penalty(penalty, on_many.span()), 0.5 * absolutes + 0.25 * squares,
              1e-6 * absolutes);
  const OnDevice<float> nan(*device_, {std::numeric_limits<float>::quiet_NaN()});
  EXPECT_TRUE(std::isnan(device_->penalty(penalty, nan.span())));
}

}  // namespace
}  // namespace dtrain::inline v0::compute
