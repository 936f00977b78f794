#include "bench/statistics.h"

#include <gtest/gtest.h>

namespace dtrain::bench {
namespace {

TEST(StatisticsTest, AQuantileLiesBetweenTwoValuesWhereItMust) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(quantile({0, 10}, 0.25), 2.5);
  EXPECT_EQ(quantile({5, 7}, 0), 5);
  EXPECT_EQ(quantile({5, 7}, 1), 7);
  EXPECT_EQ(median({}), 0);
}

}  // namespace
}  // namespace dtrain::bench
