#include <cmath>
#include <limits>

#include "device_suite.h"
#include "support/seed.h"

namespace dtrain::inline v0::compute {

double activation_reference(Activation activation, double x, double constant) {
  const auto relu6 = [](double value) { return std::min(std::max(value, 0.0), 6.0); };
  const auto softplus = [](double value) {
    return std::max(value, 0.0) + std::log1p(std::exp(-std::abs(value)));
  };
  switch (activation) {
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kRelu6:
      return relu6(x);
    case Activation::kLeakyRelu:
      return x < 0 ? constant * x : x;
    case Activation::kElu:
      return x > 0 ? x : constant * std::expm1(x);
    case Activation::kSelu:
      return 1.05070098 * (x > 0 ? x : 1.67326324 * std::expm1(x));
    case Activation::kCelu:
      return x > 0 ? x : constant * std::expm1(x / constant);
    case Activation::kGelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::kGeluTanh:
      return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kHardSilu:
      return x * relu6(x + 3) / 6;
    case Activation::kMish:
      return x * std::tanh(softplus(x));
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::kHardSigmoid:
      return relu6(x + 3) / 6;
    case Activation::kLogSigmoid:
      return -softplus(-x);
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kHardTanh:
      return std::min(std::max(x, -1.0), 1.0);
    case Activation::kSoftplus:
      return softplus(x);
    case Activation::kSoftsign:
      return x / (1 + std::abs(x));
    case Activation::kExponential:
      return std::exp(x);
    default:
      return x;
  }
}

namespace {

std::vector<Activation> elementwise() {
  std::vector<Activation> all;
  for (int kind = 0; kind <= static_cast<int>(Activation::kSoftmax); ++kind) {
    const auto activation = static_cast<Activation>(kind);
    if (!activation_is_over_rows(activation)) all.push_back(activation);
  }
  return all;
}

Elements activated(Device& device, Activation activation, const Elements& in,
                   std::optional<float> constant = {}, std::size_t rows = 1) {
  const OnDevice<float> x(device, in), y(device, in);
  device.activate({.activation = activation,
                   .constant = constant,
                   .in = x.matrix(rows, in.size() / rows),
                   .out = y.matrix(rows, in.size() / rows)});
  return y.host();
}

/// Its backward pass over the gradient's memory, with no more than it needs.
Elements gradient_of(Device& device, Activation activation, const Elements& in,
                     const Elements& out_gradient, std::optional<float> constant = {},
                     std::size_t rows = 1) {
  const std::size_t columns = in.size() / rows;
  const OnDevice<float> x(device, in);
  const OnDevice<float> y(device, activated(device, activation, in, constant, rows));
  const OnDevice<float> gradient(device, out_gradient);
  const bool needs_input = activation_backward_needs_input(activation);
  device.activate_backward(
      {.activation = activation,
       .constant = constant,
       .in = needs_input ? ConstMatrix(x.matrix(rows, columns)) : ConstMatrix(),
       .out = needs_input ? ConstMatrix() : ConstMatrix(y.matrix(rows, columns)),
       .out_gradient = gradient.matrix(rows, columns),
       .in_gradient = gradient.matrix(rows, columns)});
  return gradient.host();
}

// At a kink the two sides differ: such points prove nothing.
bool is_near_kink(double x) {
  for (const double kink : {-3.0, -1.0, 0.0, 1.0, 3.0, 6.0}) {
    if (std::abs(x - kink) < 1e-4) return true;
  }
  return false;
}

void expect_activation_slopes(Device& device, Activation activation, std::optional<float> constant,
                              std::uint64_t seed) {
  const Elements in = random_floats(500, seed, -7.0F, 7.0F);
  const Elements out_gradient = random_floats(500, seed + 1);
  const Elements got = gradient_of(device, activation, in, out_gradient, constant);
  const auto c = static_cast<double>(constant.value_or(activation_default_constant(activation)));
  for (std::size_t i = 0; i < in.size(); ++i) {
    constexpr double kStep = 1e-5;
    const auto x = static_cast<double>(in[i]);
    if (is_near_kink(x)) continue;
    const double slope = (activation_reference(activation, x + kStep, c) -
                          activation_reference(activation, x - kStep, c)) /
                         (2 * kStep);
    const double wanted = slope * static_cast<double>(out_gradient[i]);
    ASSERT_NEAR(got[i], wanted, 2e-5 * std::abs(wanted) + 1e-6)
        << activation_name(activation) << " at " << x;
  }
}

TEST_P(DeviceSuite, ActivationsHaveKerasValues) {
  const std::uint64_t seed = support::seed();
  Elements in = random_floats(2000, seed, -10.0F, 10.0F);
  for (const float special :
       {0.0F, -0.0F, 1e-4F, -1e-4F, 1e-6F, -1e-6F, 0.25F, -0.25F, 30.0F, -30.0F, 80.0F, -80.0F}) {
    in.push_back(special);
  }
  for (const Activation activation : elementwise()) {
    const Elements out = activated(*device_, activation, in);
    // Rounding of what the exponential function is given grows with it.
    const bool tail = activation == Activation::kGelu || activation == Activation::kGeluTanh;
    for (std::size_t i = 0; i < in.size(); ++i) {
      const double wanted = activation_reference(activation, static_cast<double>(in[i]));
      const double share = tail && in[i] < -3.0F ? 2e-5 : 1.2e-6;
      ASSERT_NEAR(out[i], wanted, share * std::abs(wanted) + 1e-30)
          << activation_name(activation) << " of " << in[i];
    }
  }
}

TEST_P(DeviceSuite, ActivationsKeepNanAndReachTheirLimits) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const Activation activation : elementwise()) {
    EXPECT_TRUE(std::isnan(activated(*device_, activation, Elements(9, kNan))[8]))
        << activation_name(activation);
  }
  const Elements in = {1000.0F, -1000.0F, kInfinity, -kInfinity};
  EXPECT_EQ(activated(*device_, Activation::kExponential, in),
            (Elements{kInfinity, 0.0F, kInfinity, 0.0F}));
  EXPECT_EQ(activated(*device_, Activation::kTanh, in), (Elements{1.0F, -1.0F, 1.0F, -1.0F}));
  EXPECT_EQ(activated(*device_, Activation::kSigmoid, in), (Elements{1.0F, 0.0F, 1.0F, 0.0F}));
  EXPECT_EQ(activated(*device_, Activation::kElu, {-1000.0F, 1000.0F}), (Elements{-1.0F, 1000.0F}));
  EXPECT_EQ(activated(*device_, Activation::kSoftplus, {-1000.0F, 1000.0F}),
            (Elements{0.0F, 1000.0F}));
  for (const Activation activation : {Activation::kGelu, Activation::kGeluTanh, Activation::kSilu,
                                      Activation::kHardSilu, Activation::kMish}) {
    const Elements out = activated(*device_, activation, {-1000.0F, 1000.0F});
    EXPECT_NEAR(out[0], 0.0F, 1e-30) << activation_name(activation);
    EXPECT_EQ(out[1], 1000.0F) << activation_name(activation);
    EXPECT_EQ(gradient_of(*device_, activation, {1000.0F}, {0.5F}), Elements{0.5F});
  }
}

TEST_P(DeviceSuite, ActivationGradientsAreTheSlopes) {
  const std::uint64_t seed = support::seed();
  for (const Activation activation : elementwise()) {
    expect_activation_slopes(*device_, activation, {}, seed);
  }
}

TEST_P(DeviceSuite, ActivationsTakeASlopeOrAlpha) {
  const std::uint64_t seed = support::seed();
  for (const Activation activation :
       {Activation::kLeakyRelu, Activation::kElu, Activation::kCelu}) {
    for (const float constant : {0.3F, 2.5F}) {
      const Elements in = {-3.0F, -0.5F, 0.0F, 2.0F};
      const Elements out = activated(*device_, activation, in, constant);
      for (std::size_t i = 0; i < in.size(); ++i) {
        const double wanted = activation_reference(activation, static_cast<double>(in[i]),
                                                   static_cast<double>(constant));
        EXPECT_NEAR(out[i], wanted, 1e-6 * std::abs(wanted)) << activation_name(activation);
      }
      expect_activation_slopes(*device_, activation, constant, seed);
    }
  }
}

TEST_P(DeviceSuite, SoftmaxItsLogarithmAndTheirGradientsAgreeWithDouble) {
  const std::uint64_t seed = support::seed();
  for (const std::size_t columns : {1UL, 2UL, 10UL, 300UL}) {
    const std::size_t rows = 130;
    const Elements in = random_floats(rows * columns, seed, -5.0F, 5.0F);
    const Elements out_gradient = random_floats(rows * columns, seed + 1);
    const Elements out = activated(*device_, Activation::kSoftmax, in, {}, rows);
    const Elements log_out = activated(*device_, Activation::kLogSoftmax, in, {}, rows);
    const Elements got = gradient_of(*device_, Activation::kSoftmax, in, out_gradient, {}, rows);
    const Elements log_got =
        gradient_of(*device_, Activation::kLogSoftmax, in, out_gradient, {}, rows);
    for (std::size_t row = 0; row < rows; ++row) {
      double sum = 0, dot = 0, gradient_sum = 0;
      std::vector<double> p(columns);
      for (std::size_t i = 0; i < columns; ++i) {
        p[i] = std::exp(static_cast<double>(in[row * columns + i]));
        sum += p[i];
      }
      for (std::size_t i = 0; i < columns; ++i) {
        p[i] /= sum;
        dot += p[i] * static_cast<double>(out_gradient[row * columns + i]);
        gradient_sum += static_cast<double>(out_gradient[row * columns + i]);
        ASSERT_NEAR(out[row * columns + i], p[i], 2e-6 * p[i]);
        ASSERT_NEAR(log_out[row * columns + i], std::log(p[i]), 2e-6);
      }
      for (std::size_t i = 0; i < columns; ++i) {
        const auto gradient = static_cast<double>(out_gradient[row * columns + i]);
        ASSERT_NEAR(got[row * columns + i], p[i] * (gradient - dot), 1e-6);
        ASSERT_NEAR(log_got[row * columns + i], gradient - p[i] * gradient_sum, 1e-5);
      }
    }
  }
}

TEST_P(DeviceSuite, LogSoftmaxOfHugeInputsIsExact) {
  EXPECT_EQ(activated(*device_, Activation::kLogSoftmax, {1e4F, -1e4F, 3e38F, 3e38F}, {}, 2),
            (Elements{0.0F, -2e4F, -std::log(2.0F), -std::log(2.0F)}));
}

}  // namespace
}  // namespace dtrain::inline v0::compute
