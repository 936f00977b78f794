#include <cmath>

#include "device_suite.h"
#include "support/seed.h"

namespace dtrain::inline v0::compute {
namespace {

using Doubles = std::vector<double>;

struct Statistics {
  double mean = 0;
  double variance = 0;
};

/// Of x[first], x[first + step], ...
Statistics statistics(const Doubles& x, std::size_t first, std::size_t step, std::size_t count) {
  Statistics s;
  for (std::size_t i = 0; i < count; ++i) s.mean += x[first + i * step];
  s.mean /= static_cast<double>(count);
  for (std::size_t i = 0; i < count; ++i) {
    s.variance += (x[first + i * step] - s.mean) * (x[first + i * step] - s.mean);
  }
  s.variance /= static_cast<double>(count);
  return s;
}

Doubles doubles(const Elements& x) { return {x.begin(), x.end()}; }

/// Over columns, or (`by_rows`) rows; empty gamma and beta for none.
Doubles normalized(const Doubles& x, std::size_t columns, const Doubles& gamma, const Doubles& beta,
                   double epsilon, bool by_rows) {
  const std::size_t rows = x.size() / columns;
  std::vector<Statistics> all;
  for (std::size_t i = 0; i < (by_rows ? rows : columns); ++i) {
    all.push_back(by_rows ? statistics(x, i * columns, 1, columns)
                          : statistics(x, i, columns, rows));
  }
  Doubles out(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t column = i % columns;
    const Statistics& s = all[by_rows ? i / columns : column];
    out[i] = (x[i] - s.mean) / std::sqrt(s.variance + epsilon);
    if (!gamma.empty()) out[i] *= gamma[column];
    if (!beta.empty()) out[i] += beta[column];
  }
  return out;
}

void expect_near(const Elements& got, const Doubles& wanted, double tolerance = 1e-5) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], wanted[i], tolerance * std::max(1.0, std::abs(wanted[i]))) << i;
  }
}

struct Case {
  std::size_t rows, columns;
  bool scaled;
  float offset = 0.0F;  ///< Of all inputs.
};

const Case kCases[] = {{7, 3, true},    {5, 64, false}, {700, 5, true},
                       {130, 70, true}, {1, 4, true},   {2000, 20, false},
                       {65, 1, true},   {3, 300, true}, {40, 9, true, 1000.0F}};

struct Operands {
  Operands(const Case& c, std::uint64_t seed)
      : in(random_floats(c.rows * c.columns, seed, -1.0F, 2.0F)),
        out_gradient(random_floats(c.rows * c.columns, seed + 1)) {
    for (float& x : in) x += c.offset;
    if (!c.scaled) return;
    gamma = random_floats(c.columns, seed + 2, 0.5F, 1.5F);
    beta = random_floats(c.columns, seed + 3);
  }
  Elements in, out_gradient, gamma, beta;
};

constexpr float kEpsilon = 1e-3F;

/// The loss as a function of the input; with `gamma` in its place, of that.
std::function<double(const Doubles&)> loss_of(const Operands& x, const Case& c, bool by_rows,
                                              bool of_gamma = false) {
  return [=, &x](const Doubles& at) {
    return weighted(
        normalized(of_gamma ? doubles(x.in) : at, c.columns, of_gamma ? at : doubles(x.gamma),
                   doubles(x.beta), static_cast<double>(kEpsilon), by_rows),
        x.out_gradient);
  };
}

Doubles column_sums(const Elements& x, std::size_t columns) {
  Doubles sums(columns);
  for (std::size_t i = 0; i < x.size(); ++i) sums[i % columns] += static_cast<double>(x[i]);
  return sums;
}

TEST_P(DeviceSuite, BatchNormalizationAndItsGradientsAgreeWithDouble) {
  const std::uint64_t seed = support::seed();
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.rows << " x " << c.columns);
    const Operands x(c, seed);
    const OnDevice<float> in(*device_, x.in), gamma(*device_, x.gamma), beta(*device_, x.beta);
    const OnDevice<float> mean(*device_, Elements(c.columns)), variance(*device_, mean.host());
    const OnDevice<float> out(*device_, x.in), gradient(*device_, x.out_gradient);
    const OnDevice<float> gamma_gradient(*device_, x.gamma), beta_gradient(*device_, x.beta);
    device_->batch_normalization({.in = in.matrix(c.rows, c.columns),
                                  .gamma = gamma.span(),
                                  .beta = beta.span(),
                                  .epsilon = kEpsilon,
                                  .mean = mean.span(),
                                  .variance = variance.span(),
                                  .out = out.matrix(c.rows, c.columns)});
    // Inputs of 1000 have 6e-5 between them, of which results are multiples.
    expect_near(out.host(),
                normalized(doubles(x.in), c.columns, doubles(x.gamma), doubles(x.beta),
                           static_cast<double>(kEpsilon), false),
                c.offset == 0.0F ? 1e-5 : 1e-4);
    Doubles means, variances;
    for (std::size_t i = 0; i < c.columns; ++i) {
      const Statistics s = statistics(doubles(x.in), i, c.columns, c.rows);
      means.push_back(s.mean);
      variances.push_back(s.variance);
    }
    expect_near(mean.host(), means, 1e-6);
    expect_near(variance.host(), variances, c.offset == 0.0F ? 1e-6 : 1e-5);
    device_->batch_normalization_backward({.in = in.matrix(c.rows, c.columns),
                                           .gamma = gamma.span(),
                                           .epsilon = kEpsilon,
                                           .mean = mean.span(),
                                           .variance = variance.span(),
                                           .out_gradient = gradient.matrix(c.rows, c.columns),
                                           .gamma_gradient = gamma_gradient.span(),
                                           .beta_gradient = beta_gradient.span(),
                                           .in_gradient = gradient.matrix(c.rows, c.columns)});
    if (c.offset != 0.0F) continue;
    expect_slopes(gradient.host(), x.in, loss_of(x, c, false), c.rows * c.columns / 40 + 1);
    if (!c.scaled) continue;
    expect_slopes(gamma_gradient.host(), x.gamma, loss_of(x, c, false, true), 5);
    expect_near(beta_gradient.host(), column_sums(x.out_gradient, c.columns));
  }
}

TEST_P(DeviceSuite, BatchInferenceUsesTheStatisticsItIsGiven) {
  const OnDevice<float> x(*device_, {1, 2, 3, 4}), mean(*device_, {1, 1});
  const OnDevice<float> variance(*device_, {3, 0}), gamma(*device_, {10, 2}),
      beta(*device_, {5, 7});
  const OnDevice<float> gradient(*device_, {1, 2, 3, 4}), gamma_gradient(*device_, Elements(2));
  device_->batch_normalization_backward({.in = x.matrix(2, 2),
                                         .gamma = gamma.span(),
                                         .epsilon = 1.0F,
                                         .mean = mean.span(),
                                         .variance = variance.span(),
                                         .batch_statistics = false,
                                         .out_gradient = gradient.matrix(2, 2),
                                         .gamma_gradient = gamma_gradient.span(),
                                         .in_gradient = gradient.matrix(2, 2)});
  EXPECT_EQ(gradient.host(), (Elements{5, 4, 15, 8}));
  EXPECT_EQ(gamma_gradient.host(), (Elements{3, 14}));
  device_->batch_inference({.in = x.matrix(2, 2),
                            .gamma = gamma.span(),
                            .beta = beta.span(),
                            .epsilon = 1.0F,
                            .mean = mean.span(),
                            .variance = variance.span(),
                            .out = x.matrix(2, 2)});
  EXPECT_EQ(x.host(), (Elements{5, 9, 15, 13}));
}

TEST_P(DeviceSuite, MovingAverageKeepsItsMomentum) {
  const OnDevice<float> average(*device_, {1, 2}), values(*device_, {3, -2});
  device_->moving_average(average.span(), values.span(), 0.75F);
  EXPECT_EQ(average.host(), (Elements{1.5F, 1.0F}));
}

TEST_P(DeviceSuite, LayerNormalizationAndItsGradientsAgreeWithDouble) {
  const std::uint64_t seed = support::seed();
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.rows << " x " << c.columns);
    const Operands x(c, seed);
    const OnDevice<float> in(*device_, x.in), gamma(*device_, x.gamma), beta(*device_, x.beta);
    const OnDevice<float> mean(*device_, Elements(c.rows)), inverse(*device_, mean.host());
    const OnDevice<float> out(*device_, x.in), gradient(*device_, x.out_gradient);
    const OnDevice<float> gamma_gradient(*device_, x.gamma), beta_gradient(*device_, x.beta);
    LayerNormalizationPass pass{.in = in.matrix(c.rows, c.columns),
                                .gamma = gamma.span(),
                                .beta = beta.span(),
                                .epsilon = kEpsilon,
                                .out = out.matrix(c.rows, c.columns)};
    device_->layer_normalization(pass);
    const Elements without = out.host();
    expect_near(without,
                normalized(doubles(x.in), c.columns, doubles(x.gamma), doubles(x.beta),
                           static_cast<double>(kEpsilon), true),
                c.offset == 0.0F ? 1e-5 : 1e-3);
    pass.mean = mean.span();
    pass.inverse_deviation = inverse.span();
    device_->layer_normalization(pass);
    EXPECT_EQ(out.host(), without);
    device_->layer_normalization_backward({.in = in.matrix(c.rows, c.columns),
                                           .gamma = gamma.span(),
                                           .mean = mean.span(),
                                           .inverse_deviation = inverse.span(),
                                           .out_gradient = gradient.matrix(c.rows, c.columns),
                                           .gamma_gradient = gamma_gradient.span(),
                                           .beta_gradient = beta_gradient.span(),
                                           .in_gradient = gradient.matrix(c.rows, c.columns)});
    // A row of one element is constant: its gradient is 0, of which the slope has only rounding.
    if (c.offset != 0.0F) continue;
    expect_slopes(gradient.host(), x.in, loss_of(x, c, true), c.rows * c.columns / 40 + 1);
    if (!c.scaled) continue;
    expect_slopes(gamma_gradient.host(), x.gamma, loss_of(x, c, true, true), 5);
    expect_near(beta_gradient.host(), column_sums(x.out_gradient, c.columns));
  }
}

TEST_P(DeviceSuite, UnitRowsHaveLengthOneAndTheirGradientIsTheSlope) {
  const std::uint64_t seed = support::seed();
  for (const std::size_t columns : {1UL, 3UL, 40UL}) {
    const std::size_t rows = 6;
    const Elements x = random_floats(rows * columns, seed, 0.1F, 1.0F);
    const Elements out_gradient = random_floats(rows * columns, seed + 1);
    const auto unit = [&](const Doubles& at) {
      Doubles out(at.size());
      for (std::size_t row = 0; row < rows; ++row) {
        double squares = 0;
        for (std::size_t i = 0; i < columns; ++i) {
          squares += at[row * columns + i] * at[row * columns + i];
        }
        for (std::size_t i = 0; i < columns; ++i) {
          out[row * columns + i] = at[row * columns + i] / std::sqrt(squares);
        }
      }
      return out;
    };
    const OnDevice<float> in(*device_, x), out(*device_, x), gradient(*device_, out_gradient);
    device_->unit_rows({.in = in.matrix(rows, columns), .out = out.matrix(rows, columns)});
    expect_near(out.host(), unit(doubles(x)), 1e-6);
    device_->unit_rows_backward({.in = in.matrix(rows, columns),
                                 .out_gradient = gradient.matrix(rows, columns),
                                 .in_gradient = gradient.matrix(rows, columns)});
    expect_slopes(gradient.host(), x,
                  [&](const Doubles& at) { return weighted(unit(at), out_gradient); });
  }
}

TEST_P(DeviceSuite, UnitRowsOfZerosStayZeros) {
  const OnDevice<float> in(*device_, Elements(3)), out(*device_, Elements(3, 1.0F));
  device_->unit_rows({.in = in.matrix(1, 3), .out = out.matrix(1, 3)});
  EXPECT_EQ(out.host(), Elements(3));
}

}  // namespace
}  // namespace dtrain::inline v0::compute
