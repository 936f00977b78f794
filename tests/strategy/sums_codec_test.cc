#include "strategy/sums_codec.h"

#include <gtest/gtest.h>

#include <cmath>

#include "dtrain/error.h"

namespace dtrain::inline v0::strategy {
namespace {

model::Sums example(double loss, std::uint64_t examples) {
  model::Sums sums;
  sums.loss = loss;
  sums.examples = examples;
  sums.metrics = {3, 0, -1.5};
  return sums;
}

TEST(SumsCodec, WorkersAddUpAndLostOnesAreSkipped) {
  const model::Sums merged = merge({encode(example(1.5, 10)), "", encode(example(0.5, 30))});
  EXPECT_EQ(merged.loss, 2.0);
  EXPECT_EQ(merged.examples, 40U);
  EXPECT_EQ(merged.metrics, (std::vector<double>{6, 0, -3}));
}

TEST(SumsCodec, KeepsWhatIsNotANumber) {
  EXPECT_TRUE(std::isnan(merge({encode(example(NAN, 1))}).loss));
}

TEST(SumsCodec, AWorkerWithoutExamplesHasNoMetricsYet) {
  const model::Sums merged = merge({encode(model::Sums()), encode(example(1, 2))});
  EXPECT_EQ(merged.metrics, (std::vector<double>{3, 0, -1.5}));
}

TEST(SumsCodec, MetricsMustFitAMessageOfAllWorkers) {
  EXPECT_NO_THROW(check_fits(402, 200));
  EXPECT_NO_THROW(check_fits(100'000, 1));
  try {
    check_fits(100'000, 2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "[INVALID_ARGUMENT] the metrics count in 100000 numbers, 800024 bytes, which each "
                 "of 2 workers sends after an epoch. Give fewer metrics or thresholds, for at most "
                 "491264 bytes.");
  }
}

TEST(SumsCodec, RefusesOtherBytesAndOtherMetrics) {
  EXPECT_THROW(merge({"short"}), Error);
  model::Sums other = example(1, 1);
  other.metrics.push_back(1);
  EXPECT_THROW(merge({encode(example(1, 1)), encode(other)}), Error);
}

}  // namespace
}  // namespace dtrain::inline v0::strategy
