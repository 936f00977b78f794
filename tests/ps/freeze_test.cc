// What a checkpoint reads of servers and writes back: one version of values and optimizer slots
// per server, whatever others push meanwhile and whatever the network does.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/philox.h"
#include "ps/sim_cluster.h"
#include "support/seed.h"

namespace dtrain::inline v0::ps {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Sgd kMomentum{.learning_rate = 1.0F, .momentum = 0.5F};

SimClusterOptions rough(std::uint64_t seed, int workers, int servers, Consistency consistency) {
  return {.seed = seed,
          .faults = {.delay_max = milliseconds(5), .drop = 0.03, .duplicate = 0.03, .cut = 0.01},
          .workers = workers,
          .servers = servers,
          .consistency = consistency,
          .optimizer = kMomentum,
          .variables = {{.name = "w", .shape = {90, 7}}, {.name = "b", .shape = {50}}},
          .chunk_elements = 64,
          .client = {.retry_min = milliseconds(50), .retry_max = milliseconds(400)}};
}

void freeze(SimCluster& cluster, Freeze wanted) {
  const PushTicket ticket = cluster.on_io(0, [&](Client& client) { return client.freeze(wanted); });
  cluster.wait(ticket);
  ASSERT_EQ(error_of(ticket.done), "");
}

std::vector<float> read_frozen(SimCluster& cluster, int part) {
  std::vector<float> values(cluster.count());
  const auto done = cluster.on_io(0, [&](Client& client) {
    return client.pull_frozen({{{0, cluster.count()}, values.data()}}, part);
  });
  cluster.wait(done);
  EXPECT_EQ(error_of(done), "");
  return values;
}

void assign(SimCluster& cluster, PushRequest request) {
  request.assign = true;
  const PushTicket ticket =
      cluster.on_io(0, [&](Client& client) { return client.push(std::move(request)); });
  cluster.wait(ticket);
  ASSERT_EQ(error_of(ticket.done), "");
}

TEST(Freeze, TheCopyIsOneVersionOfValuesAndSlotsWhileOthersPush) {
  const std::uint64_t seed = support::seed();
  for (std::uint64_t i = 0; i < 20; ++i) {
    SCOPED_TRACE(seed + i);
    SimCluster cluster(rough(seed + i, 2, 3, Asynchronous{}));
    cluster.start(std::vector<float>(cluster.count(), 0.0F));
    std::ranges::fill(cluster.worker(1).gradients, 1.0F);
    std::vector<PushTicket> pushes{cluster.push(1), cluster.push(1)};
    freeze(cluster, Freeze::kFreeze);
    pushes.push_back(cluster.push(1));
    const std::vector<float> values = read_frozen(cluster, 0);
    pushes.push_back(cluster.push(1));
    const std::vector<float> momentum = read_frozen(cluster, 1);
    // After n pushes of ones the momentum is -(2 - 2^(1-n)), and the values are its sums.
    for (int server = 0; server < 3; ++server) {
      const Range slice = cluster.host(server).server->shard()->slice();
      const auto at = [&](const std::vector<float>& all) { return all[slice.begin]; };
      float m = 0;
      float v = 0;
      while (v > at(values)) {
        m = 0.5F * m - 1.0F;
        v += m;
      }
      EXPECT_EQ(at(values), v);
      EXPECT_EQ(at(momentum), m) << "the momentum is of another version than the values";
      for (std::size_t e = slice.begin; e < slice.end(); ++e) {
        ASSERT_EQ(values[e], v);
        ASSERT_EQ(momentum[e], m);
      }
    }
    for (const PushTicket& push : pushes) cluster.wait(push);
    freeze(cluster, Freeze::kThaw);
    const auto violations = cluster.world().violations();
    ASSERT_TRUE(violations.empty()) << violations.front();
  }
}

/// Four updates with integer gradients; after two of them everything moves to another cluster with
/// `servers` servers.
std::vector<float> train_and_move(std::uint64_t seed, int servers) {
  auto first = std::make_unique<SimCluster>(rough(seed, 1, 2, Synchronous{}));
  first->start(std::vector<float>(first->count(), 3.0F));
  base::PhiloxStream random(7);
  const auto step = [&](SimCluster& cluster) {
    for (float& gradient : cluster.worker(0).gradients) {
      gradient = static_cast<float>(random.below(9)) - 4.0F;
    }
    cluster.wait(cluster.push(0));
  };
  step(*first);
  step(*first);
  if (servers > 0) {
    freeze(*first, Freeze::kFreeze);
    const std::vector<float> values = read_frozen(*first, 0);
    const std::vector<float> momentum = read_frozen(*first, 1);
    auto second = std::make_unique<SimCluster>(rough(seed + 1, 1, servers, Synchronous{}));
    second->start(std::vector<float>(second->count(), 0.0F));
    const Range whole{0, second->count()};
    assign(*second, {.sources = {{whole, values.data()}}});
    assign(*second, {.sources = {{whole, momentum.data()}}, .slot = 1});
    assign(*second, {.step = 2});
    first = std::move(second);
    for (int i = 0; i < servers; ++i) {
      const Shard& shard = *first->host(i).server->shard();
      EXPECT_EQ(shard.step(), 2U);
      EXPECT_EQ(shard.version(), 0U) << "versions count the updates of this job";
    }
  }
  step(*first);
  step(*first);
  return first->server_values();
}

TEST(Freeze, WhatIsReadRestoresIntoAnyNumberOfServers) {
  const std::uint64_t seed = support::seed();
  const std::vector<float> undisturbed = train_and_move(seed, 0);
  for (const int servers : {1, 2, 5}) EXPECT_EQ(train_and_move(seed, servers), undisturbed);
}

TEST(Freeze, AnAsynchronousUpdateCountsOnServersThatHaveNothingOfIt) {
  // A step is saved as the lowest version: every push must be one everywhere.
  SimCluster cluster({.workers = 1,
                      .servers = 3,
                      .consistency = Asynchronous{},
                      .variables = {{.name = "w", .shape = {1, 40}}}});
  cluster.start(std::vector<float>(cluster.count(), 0.0F));
  for (int i = 0; i < 5; ++i) cluster.wait(cluster.push(0));
  int empty = 0;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(cluster.host(i).server->shard()->version(), 5U) << i;
    if (cluster.host(i).server->shard()->slice().count == 0) ++empty;
  }
  EXPECT_GT(empty, 0) << "the test wants a server without elements";
}

TEST(Freeze, TheCopyGoesWithTheChief) {
  SimCluster cluster({.workers = 2, .consistency = Asynchronous{}});
  cluster.start(std::vector<float>(cluster.count(), 1.0F));
  freeze(cluster, Freeze::kFreeze);
  Server& server = *cluster.host(0).server;
  std::ranges::fill(cluster.worker(1).gradients, 1.0F);
  const std::weak_ptr<const tensor::Arena> copy = server.shard()->snapshot().values;
  cluster.wait(cluster.push(1));
  cluster.wait(cluster.push(1));
  EXPECT_NE(server.shard()->snapshot().values, copy.lock()) << "the update left the copy alone";
  EXPECT_EQ(read_frozen(cluster, 0), std::vector<float>(cluster.count(), 1.0F));
  EXPECT_TRUE(server.frozen());
  server.worker_lost(cluster.worker(0).endpoint->incarnation(), 0);
  EXPECT_FALSE(server.frozen());
}

TEST(Freeze, OnlyRankZeroMay) {
  SimCluster cluster({.workers = 2});
  cluster.start(std::vector<float>(cluster.count(), 0.0F));
  const PushTicket ticket =
      cluster.on_io(1, [](Client& client) { return client.freeze(Freeze::kFreeze); });
  cluster.wait(ticket);
  EXPECT_NE(error_of(ticket.done).find("only rank 0 may"), std::string::npos);
}

TEST(Freeze, PartsAndSlotsThatAreNotThereAreRefused) {
  std::vector<float> values(2000);
  const auto error = [&](const std::function<std::string(SimCluster&)>& call) {
    SimCluster cluster({.workers = 1, .optimizer = kMomentum});
    cluster.start(std::vector<float>(cluster.count(), 0.0F));
    freeze(cluster, Freeze::kFreeze);
    return call(cluster);
  };
  EXPECT_NE(error([&](SimCluster& cluster) {
              const auto done = cluster.on_io(0, [&](Client& client) {
                return client.pull_frozen({{{0, cluster.count()}, values.data()}}, 2);
              });
              cluster.wait(done);
              return error_of(done);
            }).find("a pull of part 3 of 2"),
            std::string::npos);
  EXPECT_NE(
      error([&](SimCluster& cluster) {
        const PushTicket ticket = cluster.on_io(0, [&](Client& client) {
          return client.push(
              {.sources = {{{0, cluster.count()}, values.data()}}, .assign = true, .slot = 2});
        });
        cluster.wait(ticket);
        return error_of(ticket.done);
      }).find("slot 2 of 1"),
      std::string::npos);
}

}  // namespace
}  // namespace dtrain::inline v0::ps
