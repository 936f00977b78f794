#include "ps/staging.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ps/sim_cluster.h"
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

TEST(Staging, PaddingThatTravelsAmongVariablesIsZeroWhateverTheMemoryHeld) {
  SimCluster cluster({.variables = {{.name = "a", .shape = {3}},
                                    {.name = "b", .shape = {3}},
                                    {.name = "c", .shape = {40}},
                                    {.name = "d", .shape = {40}}}});
  cluster.start(std::vector<float>(cluster.count(), 0.0F));
  const auto& entries = cluster.table().layout.entries();
  std::vector<float> expected(cluster.count(), 0.0F);
  const auto push = [&](std::size_t first, float gradient) {
    const std::vector<float> gradients(40, gradient);
    std::vector<Source> sources;
    for (const std::size_t i : {first, first + 1}) {
      sources.push_back({{entries[i].offset, entries[i].count}, gradients.data()});
      std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(entries[i].offset),
                  entries[i].count, -gradient);
    }
    cluster.wait(
        cluster.on_io(0, [&](Client& client) { return client.push({.sources = sources}); }));
  };
  push(2, 7.0F);
  push(0, 1.0F);  // gathered in the same memory
  EXPECT_EQ(cluster.server_values(), expected);
}

}  // namespace
}  // namespace dtrain::inline v0::ps
