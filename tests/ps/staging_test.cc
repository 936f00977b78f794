#include "ps/staging.h"

#include <gtest/gtest.h>

#include "transport/sim_world.h"

namespace dtrain::inline v0::ps {
namespace {

TEST(Staging, MemoryIsUsedAgainOnceNobodyHoldsIt) {
  transport::SimWorld world(1);
  const auto endpoint = world.make_endpoint({.listen = "sim://a", .incarnation = 1});
  Staging staging(*endpoint, 1 << 20);
  auto held = staging.take(1000);
  const float* const memory = held->span().data();
  EXPECT_GE(held->span().size_bytes(), 1000U);
  const auto other = staging.take(1000);
  EXPECT_NE(other->span().data(), memory);
  held.reset();
  EXPECT_EQ(staging.take(500)->span().data(), memory);
}

TEST(Staging, KeepsNoMoreThanItMay) {
  transport::SimWorld world(1);
  const auto endpoint = world.make_endpoint({.listen = "sim://a", .incarnation = 1});
  Staging staging(*endpoint, 1 << 20);
  const auto large = staging.take(4 << 20);
  EXPECT_EQ(large.use_count(), 1);
}

}  // namespace
}  // namespace dtrain::inline v0::ps
