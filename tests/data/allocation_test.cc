#include <gtest/gtest.h>

#include "data/batcher.h"
#include "support/allocations.h"

namespace dtrain::inline v0::data {
namespace {

TEST(Allocation, ABatcherAllocatesNothingAfterItsConstruction) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns the allocator";
  Strings names;
  std::vector<float> points;
  std::vector<std::int32_t> classes;
  for (int i = 0; i < 100; ++i) {
    names.add("a name that no small string holds: " + std::to_string(i));
    points.insert(points.end(), {static_cast<float>(i), 0.5F});
    classes.push_back(i % 3);
  }
  const long before_data = support::allocations();
  const Dataset data = Dataset::from_columns(
      {.features = {{"x", std::move(points), {2}}, {"name", std::move(names)}},
       .targets = {{"class", std::move(classes), {}}}});
  EXPECT_GT(support::allocations(), before_data) << "the counter does not count";
  Batcher batcher(data, {.examples = 100, .batch_size = 7, .workers = 3, .rank = 1});
  const long before = support::allocations();
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    batcher.start_epoch(epoch);
    for (std::size_t step = 0; step < batcher.plan().steps_per_epoch(); ++step) {
      batcher.batch(step);
    }
  }
  EXPECT_EQ(support::allocations(), before);
}

}  // namespace
}  // namespace dtrain::inline v0::data
