// Backup workers: steps that can do without some of the contributions.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "base/philox.h"
#include "ps/sim_cluster.h"
#include "support/seed.h"

namespace dtrain::inline v0::ps {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

void fill(SimCluster& cluster, int rank, float value) {
  std::ranges::fill(cluster.worker(rank).gradients, value);
}

TEST(BackupWorkers, TheFirstContributionsCountAndLateOnesAreDropped) {
  SimCluster cluster({.workers = 3, .servers = 2, .consistency = Synchronous{1}});
  cluster.start(std::vector<float>(cluster.count(), 0.0F));
  fill(cluster, 0, 2.0F);
  fill(cluster, 1, 1000.0F);
  fill(cluster, 2, 4.0F);
  const PushTicket first = cluster.push(0, 1, true);
  cluster.world().run_for(seconds(2));
  EXPECT_FALSE(first.done.done()) << "one contribution of the two that a step needs";
  cluster.wait(cluster.push(2, 1, true));
  cluster.wait(first);
  EXPECT_EQ(cluster.worker(0).values, std::vector<float>(cluster.count(), -3.0F));
  // The late one changes nothing, and its worker gets what the others made of the step.
  cluster.wait(cluster.push(1, 1, true));
  EXPECT_EQ(cluster.worker(1).values, std::vector<float>(cluster.count(), -3.0F));
  EXPECT_EQ(cluster.server_values(), cluster.worker(1).values);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(cluster.host(i).server->stats().late_contributions, 1U);
    EXPECT_EQ(cluster.host(i).server->stats().contributions, 2U);
  }
}

TEST(BackupWorkers, ALateWorkerGoesOnWithTheStepOfTheOthers) {
  SimCluster cluster({.workers = 3, .consistency = Synchronous{1}});
  cluster.start(std::vector<float>(cluster.count(), 0.0F));
  for (int rank = 0; rank < 3; ++rank) fill(cluster, rank, 1.0F);
  for (int step = 0; step < 5; ++step) {
    const PushTicket first = cluster.push(0, 1, true);
    cluster.wait(cluster.push(2, 1, true));
    cluster.wait(first);
  }
  cluster.wait(cluster.push(1, 1, true));
  EXPECT_EQ(cluster.worker(1).client->steps(), 5U);
  const PushTicket now_in_time = cluster.push(1, 1, true);
  cluster.wait(cluster.push(0, 1, true));
  cluster.wait(now_in_time);
  EXPECT_EQ(cluster.host(0).server->stats().contributions, 12U);
  EXPECT_EQ(cluster.host(0).server->stats().late_contributions, 1U);
}

TEST(BackupWorkers, AStepIsAsShortAsItsFirstContributions) {
  // Worker 2 takes a second for each step, the others 10 ms.
  const auto time_of = [](int backup_workers) {
    SimCluster cluster({.workers = 3, .consistency = Synchronous{backup_workers}});
    cluster.start(std::vector<float>(cluster.count(), 0.0F));
    auto& endpoint = *cluster.worker(0).endpoint;
    const base::TimePoint start = endpoint.now();
    std::vector<std::optional<PushTicket>> tickets(3);
    std::vector<base::TimePoint> ready_at(3, start);
    std::uint64_t steps = 0;
    while (steps < 10) {
      for (int rank = 0; rank < 3; ++rank) {
        const auto i = static_cast<std::size_t>(rank);
        if (tickets[i] && tickets[i]->done.done()) {
          tickets[i].reset();
          ready_at[i] = endpoint.now() + (rank == 2 ? seconds(1) : milliseconds(10));
          steps = std::max(steps, cluster.worker(rank).client->steps());
        }
        if (!tickets[i] && endpoint.now() >= ready_at[i]) tickets[i] = cluster.push(rank, 1, true);
      }
      cluster.world().run_for(milliseconds(1));
    }
    return endpoint.now() - start;
  };
  EXPECT_GT(time_of(0), seconds(9));
  EXPECT_LT(time_of(1), seconds(1));
}

/// All gradients are 1 and the learning rate is 1, so a value is minus the number of updates,
/// whoever contributed.
void run_random(std::uint64_t seed) {
  SCOPED_TRACE("replay with DTRAIN_SEED=" + std::to_string(seed));
  base::PhiloxStream random(seed, 3);
  const int workers = static_cast<int>(2 + random.below(4));
  const int backups = static_cast<int>(1 + random.below(static_cast<std::uint64_t>(workers) - 1));
  const int servers = static_cast<int>(1 + random.below(3));
  constexpr std::uint64_t kSteps = 8;
  SimCluster cluster(
      {.seed = seed,
       .faults = {.delay_max = milliseconds(5), .drop = 0.03, .duplicate = 0.03, .cut = 0.01},
       .workers = workers,
       .servers = servers,
       .consistency = Synchronous{backups},
       .chunk_elements = 64,
       .client = {.retry_min = milliseconds(50), .retry_max = milliseconds(400)},
       .server = {.eager_bytes = random.below(2) * 4096,
                  .window_chunks = static_cast<std::uint32_t>(1 + random.below(4))}});
  cluster.start(std::vector<float>(cluster.count(), 0.0F));
  for (int rank = 0; rank < workers; ++rank) fill(cluster, rank, 1.0F);
  std::vector<std::optional<PushTicket>> tickets(static_cast<std::size_t>(workers));
  std::vector<std::uint64_t> steps(static_cast<std::size_t>(workers), 0);
  std::uint64_t pushes = 0;
  // The chief is never lost; another worker dies when the seed says so.
  const int victim = random.below(2) == 0 ? workers - 1 : -1;
  const std::uint64_t dies_after = random.below(40);
  bool dead = false;
  for (int round = 0;; ++round) {
    ASSERT_LT(round, 100'000) << "steps stand still";
    bool over = true;
    for (int rank = 0; rank < workers; ++rank) {
      const auto i = static_cast<std::size_t>(rank);
      if (rank == victim && dead) continue;
      if (tickets[i] && tickets[i]->done.done()) {
        ASSERT_EQ(error_of(tickets[i]->done), "");
        steps[i] = std::max(steps[i] + 1, cluster.worker(rank).client->steps());
        tickets[i].reset();
      }
      over = over && !tickets[i] && steps[i] >= kSteps;
      if (tickets[i] || steps[i] >= kSteps || random.below(10) != 0) continue;
      tickets[i] = cluster.push(rank, 1, random.below(2) == 0);
      ++pushes;
    }
    if (over) break;
    cluster.world().run_for(milliseconds(1));
    if (victim >= 0 && !dead && static_cast<std::uint64_t>(round) == dies_after) {
      dead = true;
      auto& endpoint = *cluster.worker(victim).endpoint;
      cluster.world().kill(endpoint);
      cluster.world().run_for(milliseconds(20));
      for (int i = 0; i < servers; ++i) {
        cluster.host(i).server->worker_lost(endpoint.incarnation(), victim);
      }
    }
  }
  for (int i = 0; i < servers; ++i) {
    const Server& server = *cluster.host(i).server;
    ASSERT_EQ(server.stats().updates + server.stats().empty_steps, kSteps);
    const auto values = server.shard()->snapshot().values->span();
    ASSERT_EQ(std::ranges::count(values, -static_cast<float>(server.stats().updates)),
              static_cast<std::ptrdiff_t>(values.size()));
    ASSERT_LE(server.stats().contributions + server.stats().late_contributions, pushes);
    if (dead) continue;
    ASSERT_EQ(server.stats().updates, kSteps);
    ASSERT_EQ(server.stats().contributions + server.stats().late_contributions, pushes);
  }
  ASSERT_TRUE(cluster.world().violations().empty());
}

TEST(BackupWorkers, EveryServerMakesEveryStepOnceUnderFaultsAndLosses) {
  support::for_each_seed(100, 5000, run_random);
}

TEST(BackupWorkers, WhatALostWorkerLeftInTheSumIsTakenOut) {
  SimCluster cluster({.workers = 3,
                      .consistency = Synchronous{1},
                      .variables = {{.name = "w", .shape = {100'000}}},
                      .server = {.eager_bytes = 0, .window_chunks = 1}});
  cluster.start(std::vector<float>(cluster.count(), 0.0F));
  fill(cluster, 0, 1.0F);
  fill(cluster, 1, 1000.0F);
  fill(cluster, 2, 1.0F);
  const PushTicket summed = cluster.push(0, 1, true);
  Server& server = *cluster.host(0).server;
  cluster.world().run_for(seconds(10));  // whole, and in the sum
  (void)cluster.push(1, 1, true);
  cluster.world().run_for(milliseconds(3));  // some of its chunks are in the sum
  cluster.world().kill(*cluster.worker(1).endpoint);
  server.worker_lost(cluster.worker(1).endpoint->incarnation(), 1);
  cluster.wait(cluster.push(2, 1, true));
  cluster.wait(summed);
  EXPECT_EQ(cluster.worker(0).values, std::vector<float>(cluster.count(), -1.0F));
}

}  // namespace
}  // namespace dtrain::inline v0::ps
