#include "compute/square_sum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "support/seed.h"

namespace dtrain::inline v0::compute {
namespace {

/// All magnitudes that floats have.
std::vector<float> floats_of_all_sizes(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    const int exponent = static_cast<int>(random() % 276) - 148;
    value = std::ldexp(static_cast<float>(random() % 16'777'216) / 8'388'608.0F, exponent);
    if (random() % 2 == 0) value = -value;
  }
  return values;
}

TEST(SquareSum, IsTheSumOfSquares) {
  const std::vector<float> values = floats_of_all_sizes(200'000, support::seed());
  long double expected = 0;
  for (const float value : values) expected += static_cast<long double>(value) * value;
  SquareSum sum;
  sum.add(values);
  EXPECT_NEAR(sum.value() / static_cast<double>(expected), 1.0, 1e-14);
}

TEST(SquareSum, SmallCasesAreExact) {
  const auto of = [](std::vector<float> values) {
    SquareSum sum;
    sum.add(values);
    return sum.value();
  };
  EXPECT_EQ(of({}), 0.0);
  EXPECT_EQ(of({3.0F, -4.0F, 0.0F}), 25.0);
  EXPECT_EQ(of({1e-45F}), std::ldexp(1.0, -298)) << "the smallest float";
  EXPECT_EQ(of({std::numeric_limits<float>::max()}),
            std::pow(static_cast<double>(std::numeric_limits<float>::max()), 2));
  EXPECT_EQ(of(std::vector<float>(1'000'000, std::ldexp(16'777'215.0F, -24))),
            1e6 * std::pow(16'777'215.0 / 16'777'216.0, 2))
      << "more than 64 bits of one exponent";
  EXPECT_TRUE(std::isnan(of({1.0F, std::numeric_limits<float>::infinity()})));
  EXPECT_TRUE(std::isnan(of({std::numeric_limits<float>::quiet_NaN()})));
}

TEST(SquareSum, BitsDependOnNeitherPartsNorOrder) {
  const std::uint64_t seed = support::seed();
  std::vector<float> values = floats_of_all_sizes(100'000, seed);
  SquareSum whole;
  whole.add(values);
  std::mt19937_64 random(seed + 1);
  for (int round = 0; round < 10; ++round) {
    std::ranges::shuffle(values, random);
    SquareSum together;
    std::span<const float> rest(values);
    while (!rest.empty()) {
      const auto part = rest.first(std::min<std::size_t>(rest.size(), 1 + random() % 90'000));
      rest = rest.subspan(part.size());
      SquareSum sum;
      sum.add(part);
      for (const SquareSum::Term& term : sum.terms()) together.add(term);
    }
    ASSERT_EQ(together.value(), whole.value());
  }
}

TEST(SquareSum, ClippingLeavesWhatIsSmallEnough) {
  EXPECT_EQ(clip_factor(25.0, 1.0, 5.0F), 1.0);
  EXPECT_EQ(clip_factor(25.0, 0.5, 5.0F), 1.0);
  EXPECT_EQ(clip_factor(25.0, 2.0, 5.0F), 0.5);
  EXPECT_EQ(clip_factor(0.0, 1.0, 5.0F), 1.0);
  EXPECT_TRUE(std::isnan(clip_factor(std::numeric_limits<double>::quiet_NaN(), 1.0, 5.0F)));
}

}  // namespace
}  // namespace dtrain::inline v0::compute
