// Bounded staleness: how far a worker may run ahead of the slowest one.
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

/// Workers that push integers, one of them much more slowly than the others.
void run_with_straggler(std::uint64_t seed) {
  SCOPED_TRACE("replay with DTRAIN_SEED=" + std::to_string(seed));
  base::PhiloxStream random(seed, 2);
  const int workers = static_cast<int>(2 + random.below(3));
  const int staleness = static_cast<int>(1 + random.below(3));
  const int straggler = static_cast<int>(random.below(static_cast<std::uint64_t>(workers)));
  constexpr int kPushes = 8;
  SimCluster cluster({.seed = seed,
                      .faults = {.delay_max = milliseconds(5), .drop = 0.03, .duplicate = 0.03},
                      .workers = workers,
                      .servers = static_cast<int>(1 + random.below(2)),
                      .consistency = BoundedStaleness{staleness},
                      .client = {.retry_min = milliseconds(50), .retry_max = milliseconds(400)}});
  cluster.start(std::vector<float>(cluster.count(), 0.0F));
  for (int rank = 0; rank < workers; ++rank) {
    std::ranges::fill(cluster.worker(rank).gradients, 1.0F);
  }
  struct Progress {
    std::optional<PushTicket> ticket;
    int started = 0;
    int finished = 0;
  };
  std::vector<Progress> progress(static_cast<std::size_t>(workers));
  const auto over = [](const Progress& worker) { return worker.finished == kPushes; };
  while (!std::ranges::all_of(progress, over)) {
    for (int rank = 0; rank < workers; ++rank) {
      Progress& own = progress[static_cast<std::size_t>(rank)];
      if (own.ticket && own.ticket->done.done()) {
        ASSERT_EQ(error_of(own.ticket->done), "");
        ++own.finished;
        own.ticket.reset();
        for (const Progress& other : progress) ASSERT_LE(own.finished - other.started, staleness);
      }
      const bool ready = rank != straggler || random.below(20) == 0;
      if (own.ticket || own.started == kPushes || !ready) continue;
      ++own.started;
      own.ticket = cluster.push(rank, 1, true);
    }
    cluster.world().run_for(milliseconds(2));
  }
  EXPECT_LE(cluster.host(0).server->stats().staleness_max, static_cast<std::uint64_t>(staleness));
  EXPECT_EQ(cluster.server_values(),
            std::vector<float>(cluster.count(), -static_cast<float>(workers * kPushes)));
  EXPECT_TRUE(cluster.world().violations().empty());
}

TEST(Staleness, NeverExceedsTheBoundWithAStraggler) {
  support::for_each_seed(40, 2000, run_with_straggler);
}

/// Two workers of which only rank 0 pushes, as far as it may without the other: one push.
struct Ahead {
  explicit Ahead(int workers = 2)
      : cluster({.workers = workers,
                 .consistency = BoundedStaleness{1},
                 .client = {.operation_max = seconds(60)}}) {
    cluster.wait(cluster.declare(0));
    cluster.wait(cluster.assign(std::vector<float>(cluster.count(), 0.0F)));
    cluster.wait(cluster.push(0, 1, true));
    waiting = cluster.push(0, 1, true);
    cluster.world().run_for(seconds(5));
  }
  Server& server() { return *cluster.host(0).server; }
  std::uint64_t incarnation(int rank) { return cluster.worker(rank).endpoint->incarnation(); }

  SimCluster cluster;
  PushTicket waiting;
};

TEST(Staleness, AWorkerAheadWaitsForTheSlowest) {
  Ahead ahead;
  EXPECT_FALSE(ahead.waiting.done.done());
  ahead.cluster.wait(ahead.cluster.declare(1));
  ahead.cluster.wait(ahead.cluster.push(1, 0, true));  // without examples, but a push
  ahead.cluster.wait(ahead.waiting);
  EXPECT_EQ(error_of(ahead.waiting.done), "");
}

TEST(Staleness, NobodyWaitsForAWorkerThatIsLostOrHasEnded) {
  Ahead lost;
  lost.server().worker_lost(lost.incarnation(1), 1);  // before it could declare anything
  lost.cluster.wait(lost.waiting, seconds(5));
  EXPECT_EQ(error_of(lost.waiting.done), "");
  Ahead ended;
  ended.cluster.wait(ended.cluster.declare(1));
  ended.server().worker_left(ended.incarnation(1), 1);
  ended.cluster.wait(ended.waiting, seconds(5));
  EXPECT_EQ(error_of(ended.waiting.done), "");
}

TEST(Staleness, TheSlowWorkerIsNamedAtTheDeadline) {
  Ahead ahead(3);
  ahead.cluster.wait(ahead.cluster.declare(1));
  ahead.cluster.wait(ahead.cluster.declare(2));
  ahead.cluster.wait(ahead.cluster.push(1, 1, true));
  ahead.cluster.wait(ahead.waiting, seconds(70));
  const std::string error = error_of(ahead.waiting.done);
  EXPECT_NE(error.find("[DEADLINE_EXCEEDED]"), std::string::npos) << error;
  EXPECT_NE(error.find("waits for worker rank 2."), std::string::npos) << error;
}

TEST(Staleness, AWorkerThatWasGivenUpOnIsRefused) {
  Ahead ahead;
  ahead.server().worker_lost(ahead.incarnation(1), 1);
  const auto declared = ahead.cluster.declare(1);
  ahead.cluster.wait(declared);
  EXPECT_NE(error_of(declared).find("worker rank 1 has left the job"), std::string::npos)
      << error_of(declared);
}

}  // namespace
}  // namespace dtrain::inline v0::ps
