#include "tensor/initializer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "dtrain/error.h"
#include "support/seed.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::tensor {
namespace {

std::vector<float> values_of(const Initializer& initializer, const Shape& shape, std::uint64_t seed,
                             std::string_view name = "dense/kernel") {
  std::vector<float> values(element_count(shape), -77.0F);
  initialize(initializer, shape, seed, name, values);
  return values;
}

struct Moments {
  double mean = 0;
  double stddev = 0;
  double kurtosis = 0;  ///< 3 for a normal distribution, 1.8 for a uniform one.
  double largest = 0;   ///< Of the magnitudes.
};

Moments moments_of(const std::vector<float>& values) {
  Moments moments;
  const auto count = static_cast<double>(values.size());
  for (const float value : values) {
    moments.mean += static_cast<double>(value) / count;
    moments.largest = std::max(moments.largest, static_cast<double>(std::abs(value)));
  }
  double second = 0, fourth = 0;
  for (const float value : values) {
    const double square = std::pow(static_cast<double>(value) - moments.mean, 2);
    second += square / count;
    fourth += square * square / count;
  }
  moments.stddev = std::sqrt(second);
  moments.kurtosis = fourth / (second * second);
  return moments;
}

struct DistributionCase {
  const char* name;
  Initializer initializer;
  double mean, stddev, kurtosis;
  double limit;  ///< No magnitude reaches beyond it.
};

// Fans of (300, 700): 300 in, 700 out. A normal distribution that is cut at two of its standard
// deviations has a kurtosis of 2.37 and 0.8796 of the deviation.
const DistributionCase kCases[] = {
    {"RandomUniform", RandomUniform{}, 0, 0.05 / std::sqrt(3.0), 1.8, 0.05},
    {"RandomNormal", RandomNormal{.mean = 1.0F, .stddev = 0.5F}, 1, 0.5, 3.0, 1 + 0.5 * 6.5},
    {"TruncatedNormal", TruncatedNormal{}, 0, 0.05 * 0.87962566, 2.37, 0.1},
    {"GlorotUniform", GlorotUniform{}, 0, std::sqrt(2.0 / 1000), 1.8, std::sqrt(6.0 / 1000)},
    {"GlorotNormal", GlorotNormal{}, 0, std::sqrt(2.0 / 1000), 2.37, 2.274 * std::sqrt(2.0 / 1000)},
    {"HeUniform", HeUniform{}, 0, std::sqrt(2.0 / 300), 1.8, std::sqrt(6.0 / 300)},
    {"HeNormal", HeNormal{}, 0, std::sqrt(2.0 / 300), 2.37, 2.274 * std::sqrt(2.0 / 300)},
    {"LecunUniform", LecunUniform{}, 0, std::sqrt(1.0 / 300), 1.8, std::sqrt(3.0 / 300)},
    {"LecunNormal", LecunNormal{}, 0, std::sqrt(1.0 / 300), 2.37, 2.274 * std::sqrt(1.0 / 300)},
    {"VarianceScaling", VarianceScaling{}, 0, std::sqrt(1.0 / 300), 2.37,
     2.274 * std::sqrt(1.0 / 300)},
    {"VarianceScaling, uniform, fan_out",
     VarianceScaling{2.0F, FanMode::kFanOut, ScaledDistribution::kUniform}, 0, std::sqrt(2.0 / 700),
     1.8, std::sqrt(6.0 / 700)},
    {"VarianceScaling, normal, fan_avg",
     VarianceScaling{3.0F, FanMode::kFanAvg, ScaledDistribution::kUntruncatedNormal}, 0,
     std::sqrt(3.0 / 500), 3.0, 6.5 * std::sqrt(3.0 / 500)},
};

TEST(Initializer, DistributionsAreKeras) {
  const std::uint64_t seed = support::seed();
  for (const DistributionCase& c : kCases) {
    const Moments got = moments_of(values_of(c.initializer, {300, 700}, seed));
    // 210,000 values: bounds are more than six standard errors wide.
    EXPECT_NEAR(got.mean, c.mean, 0.015 * c.stddev) << c.name;
    EXPECT_NEAR(got.stddev, c.stddev, 0.012 * c.stddev) << c.name;
    EXPECT_NEAR(got.kurtosis, c.kurtosis, 0.08) << c.name;
    EXPECT_LE(got.largest, c.limit * 1.0001) << c.name;
  }
}

TEST(Initializer, ConstantsAreConstant) {
  EXPECT_EQ(values_of(Zeros{}, {3}, 1), std::vector<float>(3, 0.0F));
  EXPECT_EQ(values_of(Ones{}, {3}, 1), std::vector<float>(3, 1.0F));
  EXPECT_EQ(values_of(Constant{2.5F}, {3}, 1), std::vector<float>(3, 2.5F));
}

TEST(Initializer, OrthogonalVectorsHaveOneLengthAndRightAngles) {
  for (const Shape& shape : {Shape{30, 20}, Shape{20, 30}, Shape{3, 5, 8}}) {
    const auto values = values_of(Orthogonal{.gain = 2.0F}, shape, support::seed());
    const auto columns = static_cast<std::size_t>(shape.back());
    const std::size_t rows = values.size() / columns;
    const bool by_row = rows < columns;
    const auto element = [&](std::size_t vector, std::size_t i) {
      return static_cast<double>(by_row ? values[vector * columns + i]
                                        : values[i * columns + vector]);
    };
    for (std::size_t a = 0; a < std::min(rows, columns); ++a) {
      for (std::size_t b = 0; b <= a; ++b) {
        double dot = 0.0;
        for (std::size_t i = 0; i < std::max(rows, columns); ++i)
          dot += element(a, i) * element(b, i);
        EXPECT_NEAR(dot, a == b ? 4.0 : 0.0, 1e-5);
      }
    }
  }
  EXPECT_NE(values_of(Orthogonal{}, {4, 4}, 1), values_of(Orthogonal{}, {4, 4}, 2));
  EXPECT_THROW(values_of(Orthogonal{}, {4}, 1), Error);
}

TEST(Initializer, IdentityIsOneMatrix) {
  EXPECT_EQ(values_of(Identity{3.0F}, {2, 3}, 1), (std::vector<float>{3, 0, 0, 0, 3, 0}));
  EXPECT_THROW(values_of(Identity{}, {4}, 1), Error);
}

TEST(Initializer, ValuesDependOnSeedAndNameAndOnNothingElse) {
  for (const DistributionCase& c : kCases) {
    const auto values = values_of(c.initializer, {30, 70}, 1);
    EXPECT_EQ(values_of(c.initializer, {30, 70}, 1), values) << c.name;
    EXPECT_NE(values_of(c.initializer, {30, 70}, 2), values) << c.name;
    EXPECT_NE(values_of(c.initializer, {30, 70}, 1, "dense_1/kernel"), values) << c.name;
  }
}

TEST(Initializer, AnElementDependsOnItsIndexAlone) {
  // Distributions whose width does not depend on the shape.
  for (const Initializer& initializer : {Initializer(RandomUniform{}), Initializer(RandomNormal{}),
                                         Initializer(TruncatedNormal{})}) {
    const auto longer = values_of(initializer, {103}, 5);
    const auto shorter = values_of(initializer, {50}, 5);
    EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), longer.begin()));
  }
}

TEST(Initializer, ASeedOfItsOwnReplacesTheModels) {
  EXPECT_EQ(values_of(HeNormal{.seed = 9}, {10, 10}, 1), values_of(HeNormal{}, {10, 10}, 9));
}

TEST(Initializer, RefusesWhatCannotBeDrawn) {
  const auto message = [](const Initializer& initializer) -> std::string {
    try {
      validate(initializer, "layer 0: ");
    } catch (const Error& error) {
      return error.what();
    }
    return "valid";
  };
  EXPECT_EQ(message(RandomUniform{.minval = 1.0F, .maxval = 1.0F}),
            "[INVALID_ARGUMENT] layer 0: RandomUniform's interval is [1, 1). Give a minval below "
            "maxval.");
  EXPECT_EQ(message(RandomNormal{.stddev = -1.0F}),
            "[INVALID_ARGUMENT] layer 0: RandomNormal::stddev is -1. Give a number of at least 0.");
  EXPECT_EQ(message(TruncatedNormal{.stddev = std::nanf("")}),
            "[INVALID_ARGUMENT] layer 0: TruncatedNormal::stddev is nan. Give a number of at least "
            "0.");
  for (const DistributionCase& c : kCases) EXPECT_EQ(message(c.initializer), "valid");
}

TEST(Initialize, APartIsThatPartOfTheWhole) {
  const Shape shape{13, 7};
  for (const Initializer& initializer :
       {Initializer(Zeros{}), Initializer(Constant{3.0F}), Initializer(RandomUniform{}),
        Initializer(RandomNormal{}), Initializer(TruncatedNormal{}), Initializer(GlorotUniform{}),
        Initializer(HeNormal{})}) {
    std::vector<float> whole(13 * 7);
    initialize(initializer, shape, 5, "v", whole);
    for (std::size_t first = 0; first < whole.size(); first += 11) {
      for (const std::size_t count :
           {std::size_t{1}, std::min<std::size_t>(11, whole.size() - first)}) {
        std::vector<float> part(count);
        initialize_part(initializer, shape, 5, "v", first, part);
        EXPECT_TRUE(std::equal(part.begin(), part.end(),
                               whole.begin() + static_cast<std::ptrdiff_t>(first)));
      }
    }
  }
}

}  // namespace
}  // namespace dtrain::inline v0::tensor
