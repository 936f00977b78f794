#include "bench/exchange_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <set>

#include "bench/exchange_samples.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::bench {
namespace {

TEST(ExchangeDataTest, WeightsAddUpToAPowerOfTwo) {
  for (const int workers : {1, 2, 3, 4, 5, 7, 64}) {
    std::uint64_t total = 0;
    for (int rank = 0; rank < workers; ++rank) {
      EXPECT_GE(example_weight(rank, workers), 1U);
      total += example_weight(rank, workers);
    }
    EXPECT_EQ(total & (total - 1), 0U) << workers;
  }
}

TEST(ExchangeDataTest, NumbersAreSmallAndDifferFromTheirNeighbours) {
  std::set<float> gradients;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    gradients.insert(gradient_value(i));
    EXPECT_GE(initial_value(i), 0);
    EXPECT_LE(initial_value(i), 255);
    EXPECT_NE(initial_value(i), initial_value(i + 1));
  }
  EXPECT_EQ(gradients, (std::set<float>{1, 2, 3, 4}));
}

TEST(ExchangeDataTest, ValuesStayExactForAllSteps) {
  for (const int workers : {1, 2, 3, 64}) {
    const auto steps = static_cast<float>(exact_steps_max(workers, false));
    float share = 0;
    for (int rank = 0; rank < workers; ++rank) {
      share += static_cast<float>(step_share(rank, workers, false));
    }
    const float last = 255 - steps * 4 * share;
    const float part = 1.0F / static_cast<float>(std::bit_ceil(static_cast<unsigned>(workers)));
    EXPECT_EQ(last + part - last, part) << workers;
    EXPECT_GT(steps, 10'000);
  }
}

TEST(ExchangeDataTest, KeysAreDistinctSortedAndRepeatable) {
  for (const std::uint64_t count : {1U, 10U, 60U, 100U}) {
    const auto keys = draw_keys(100, count, 3);
    EXPECT_EQ(keys.size(), count);
    EXPECT_TRUE(std::ranges::is_sorted(keys));
    EXPECT_EQ(std::set<std::uint64_t>(keys.begin(), keys.end()).size(), count);
    EXPECT_LT(keys.back(), 100U);
    EXPECT_EQ(keys, draw_keys(100, count, 3));
  }
  EXPECT_NE(draw_keys(1000, 10, 0), draw_keys(1000, 10, 1));
}

TEST(ExchangeDataTest, ARowMovesByTheSharesOfThoseWhoNameIt) {
  const auto keys = draw_keys(4, 4, 0);  // everybody names all
  const auto shares = row_shares(keys, 4, 2, false);
  EXPECT_EQ(shares, std::vector<float>(4, 1.5F));  // (1 + 2) / 2
  EXPECT_EQ(row_shares(keys, 4, 2, true), std::vector<float>(4, 3.0F));
  const auto few = draw_keys(1'000'000, 10, 0);
  EXPECT_EQ(row_shares(few, 1'000'000, 2, false), std::vector<float>(10, 0.5F));
}

TEST(SamplesTest, QuantilesAreOfAllOperations) {
  Samples samples;
  std::vector<float> us(100);
  for (std::size_t i = 0; i < us.size(); ++i) us[i] = static_cast<float>(100 - i);
  samples.add(us);
  EXPECT_EQ(samples.min_us(), 1);
  EXPECT_EQ(samples.max_us(), 100);
  EXPECT_EQ(samples.quantile_us(0.5), 50);
  EXPECT_EQ(samples.quantile_us(0.99), 99);
  EXPECT_EQ(samples.quantile_us(1), 100);
  EXPECT_EQ(Samples().quantile_us(0.5), 0);
}

TEST(SamplesTest, WhatIsSentIsTheSame) {
  Samples samples;
  samples.add(std::vector<float>{3, 1, 2});
  const Samples got = Samples::decode(samples.encode(10'000));
  EXPECT_EQ(got.count(), 3U);
  EXPECT_EQ(got.total_us(), 6);
  EXPECT_EQ(got.quantile_us(0.5), 2);
  EXPECT_EQ(Samples::decode(Samples().encode(100)).count(), 0U);
  EXPECT_THROW((void)Samples::decode("short"), Error);
}

TEST(SamplesTest, ManyAreThinnedWithoutMovingTheMedian) {
  Samples samples;
  std::vector<float> us(100'000);
  for (std::size_t i = 0; i < us.size(); ++i) us[i] = static_cast<float>(i);
  samples.add(us);
  const std::string bytes = samples.encode(4096);
  EXPECT_LE(bytes.size(), 4096U);
  const Samples got = Samples::decode(bytes);
  EXPECT_EQ(got.count(), 100'000U);
  EXPECT_EQ(got.max_us(), 99'999);
  EXPECT_NEAR(got.quantile_us(0.5), 50'000, 250);
  EXPECT_NEAR(got.quantile_us(0.9), 90'000, 250);
}

}  // namespace
}  // namespace dtrain::inline v0::bench
