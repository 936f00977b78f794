#include "ps/row_sum.h"

#include <gtest/gtest.h>

#include <map>

#include "base/philox.h"
#include "support/seed.h"

namespace dtrain::inline v0::ps {
namespace {

TEST(RowSum, RowsOfSeveralPushesMeetInAscendingOrder) {
  RowSum sum(2);
  sum.add(std::vector<std::uint64_t>{3, 5, 9}, std::vector<float>{1, 2, 3, 4, 5, 6}, 1.0F);
  sum.add(std::vector<std::uint64_t>{1, 5, 7}, std::vector<float>{1, 1, 1, 1, 1, 1}, 10.0F);
  ASSERT_EQ(sum.size(), 5U);
  const std::map<std::uint64_t, float> firsts{{1, 10}, {3, 1}, {5, 13}, {7, 10}, {9, 5}};
  auto expected = firsts.begin();
  for (const RowSum::Entry& entry : sum.sorted()) {
    EXPECT_EQ(entry.row, expected->first);
    EXPECT_EQ(sum.at(entry.place)[0], expected->second);
    ++expected;
  }
  sum.clear();
  EXPECT_EQ(sum.size(), 0U);
  sum.add(std::vector<std::uint64_t>{2}, std::vector<float>{4, 8}, 0.5F);
  ASSERT_EQ(sum.sorted().size(), 1U);
  EXPECT_EQ(sum.at(0)[0], 2.0F);
  EXPECT_EQ(sum.at(0)[1], 4.0F);
}

TEST(RowSum, AnyOrderGivesTheSameSums) {
  base::PhiloxStream random(support::seed());
  RowSum sum(1);
  std::map<std::uint64_t, float> expected;
  for (int push = 0; push < 50; ++push) {
    std::vector<std::uint64_t> rows(random.below(20));
    std::vector<float> gradients(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i] = random.below(60);
      gradients[i] = static_cast<float>(random.below(100));
      expected[rows[i]] += 2.0F * gradients[i];
    }
    sum.add(rows, gradients, 2.0F);
    if (push % 7 == 0) sum.sorted();
  }
  const auto entries = sum.sorted();
  ASSERT_EQ(entries.size(), expected.size());
  auto next = expected.begin();
  for (const RowSum::Entry& entry : entries) {
    EXPECT_EQ(entry.row, next->first);
    EXPECT_EQ(*sum.at(entry.place), next->second);
    ++next;
  }
}

}  // namespace
}  // namespace dtrain::inline v0::ps
