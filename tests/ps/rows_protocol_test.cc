// Rows between Client and Server in a simulated world: sums and their order, exactly once, and
// what a server refuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/philox.h"
#include "ps/sim_cluster.h"
#include "support/seed.h"

namespace dtrain::inline v0::ps {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

transport::SimFaults rough() {
  return {.delay_max = milliseconds(5), .drop = 0.03, .duplicate = 0.03, .cut = 0.01};
}

std::shared_ptr<const RowBatch> batch_of(std::uint32_t table, std::size_t width,
                                         const std::vector<std::uint64_t>& keys,
                                         const std::vector<float>& gradients) {
  const RowIndex index = index_rows(keys);
  return std::make_shared<RowBatch>(table, index.keys, sum_duplicates(index, gradients, width));
}

PushTicket push_rows(SimCluster& cluster, int rank,
                     std::vector<std::shared_ptr<const RowBatch>> rows, std::uint64_t weight = 1) {
  return cluster.on_io(rank, [&](Client& client) {
    return client.push({.weight = weight, .rows = std::move(rows)});
  });
}

std::vector<RowTable> zeros(std::int64_t rows, std::int64_t width,
                            RowUpdates updates = RowUpdates::kLazy) {
  return {{.name = "t", .rows = rows, .width = width, .initializer = Zeros{}, .updates = updates}};
}

TEST(RowsProtocol, WorkersPullWhatServersDrew) {
  SimCluster cluster({.workers = 1,
                      .servers = 3,
                      .row_tables = {{.name = "a", .rows = 10, .width = 2, .seed = 4},
                                     {.name = "b", .rows = 1000, .width = 5}}});
  cluster.start(std::vector<float>(cluster.count()));
  const std::vector<std::uint64_t> keys{999, 0, 500, 0, 333, 334, 999};
  std::vector<float> values;
  cluster.wait(cluster.pull_rows(0, 1, keys, values));
  const std::vector<float> table = cluster.server_rows(1);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    for (std::size_t e = 0; e < 5; ++e) EXPECT_EQ(values[i * 5 + e], table[keys[i] * 5 + e]);
  }
  EXPECT_NE(table[0], table[1]);
}

TEST(RowsProtocol, APullOfNoRowsIsDoneAtOnce) {
  SimCluster cluster({.workers = 1, .servers = 2, .row_tables = zeros(10, 2)});
  cluster.start(std::vector<float>(cluster.count()));
  std::vector<float> values;
  EXPECT_TRUE(cluster.pull_rows(0, 0, {}, values).done());
}

TEST(RowsProtocol, APullWaitsForFirstValuesAndItsOwnPush) {
  SimCluster cluster({.workers = 1, .servers = 2, .row_tables = zeros(10, 1)});
  cluster.wait(cluster.declare(0));
  std::vector<float> values;
  const auto early = cluster.pull_rows(0, 0, {3, 8}, values);
  cluster.world().run_for(seconds(3));
  EXPECT_FALSE(early.done());
  cluster.wait(cluster.assign(std::vector<float>(cluster.count())));
  cluster.wait(early);
  EXPECT_EQ(values, (std::vector<float>{0, 0}));
  const PushTicket push = push_rows(cluster, 0, {batch_of(0, 1, {8, 3, 8}, {1, 2, 4})});
  cluster.wait(cluster.pull_rows(0, 0, {3, 8}, values));
  EXPECT_TRUE(push.done.done());
  EXPECT_EQ(values, (std::vector<float>{-2, -5}));
}

TEST(RowsProtocol, AStepIsTheMeanOfAllWorkersWhereverTheirKeysLie) {
  SimCluster cluster({.workers = 3, .servers = 2, .row_tables = zeros(10, 1)});
  cluster.start(std::vector<float>(cluster.count()));
  const std::vector<PushTicket> tickets{push_rows(cluster, 0, {batch_of(0, 1, {1, 9}, {4, 8})}, 1),
                                        push_rows(cluster, 1, {batch_of(0, 1, {}, {})}, 2),
                                        push_rows(cluster, 2, {batch_of(0, 1, {1}, {8})}, 1)};
  for (const PushTicket& ticket : tickets) cluster.wait(ticket);
  std::vector<float> expected(10);
  expected[1] = -3;
  expected[9] = -2;
  EXPECT_EQ(cluster.server_rows(0), expected);
  // Server 0 and server 1 have made one update each, whoever named their rows.
  EXPECT_EQ(tickets[1].done.get(), 1U);
}

TEST(RowsProtocol, AnUpdateIsOneOnServersWithoutAKeyToo) {
  for (const Consistency& consistency : {Consistency(Synchronous{}), Consistency(Asynchronous{})}) {
    SimCluster cluster(
        {.workers = 1, .servers = 3, .consistency = consistency, .row_tables = zeros(9, 1)});
    cluster.start(std::vector<float>(cluster.count()));
    cluster.wait(push_rows(cluster, 0, {batch_of(0, 1, {4}, {1})}));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(cluster.host(i).server->shard()->version(), 1U);
  }
}

TEST(RowsProtocol, NamingOtherTablesInAStepIsAnErrorThatNamesBoth) {
  auto tables = zeros(10, 1);
  tables.push_back(tables[0]);
  tables[1].name = "u";
  SimCluster cluster({.workers = 2, .servers = 1, .row_tables = tables});
  cluster.start(std::vector<float>(cluster.count()));
  (void)push_rows(cluster, 0, {batch_of(0, 1, {1}, {1})});
  cluster.world().run_for(milliseconds(100));
  const PushTicket second = push_rows(cluster, 1, {batch_of(1, 1, {1}, {1})});
  cluster.wait(second);
  EXPECT_NE(error_of(second.done).find("worker rank 1 pushes rows of other tables"),
            std::string::npos)
      << error_of(second.done);
}

/// What acknowledged pushes of a table add up to, at learning rate 1.
struct Ledger {
  std::vector<float> values;
  std::size_t width;

  void subtract(const std::vector<std::uint64_t>& keys, const std::vector<float>& gradients,
                float divisor) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      for (std::size_t e = 0; e < width; ++e) {
        values[keys[i] * width + e] -= gradients[i * width + e] / divisor;
      }
    }
  }
};

/// With integer gradients and learning rate 1 the tables equal the acknowledged pushes exactly,
/// dense variables and rows, whatever was dropped, doubled, cut and sent again.
void run_integers(std::uint64_t seed, const Consistency& consistency) {
  SCOPED_TRACE("replay with DTRAIN_SEED=" + std::to_string(seed));
  base::PhiloxStream random(seed, 2);
  const int workers = static_cast<int>(1 + random.below(4));
  const auto updates = random.below(2) == 0 ? RowUpdates::kLazy : RowUpdates::kDense;
  std::vector<RowTable> tables =
      zeros(200, 1 + static_cast<std::int64_t>(random.below(9)), updates);
  tables.push_back({.name = "u", .rows = 5, .width = 30, .initializer = Zeros{}});
  SimCluster cluster(
      {.seed = seed,
       .faults = rough(),
       .workers = workers,
       .servers = static_cast<int>(1 + random.below(3)),
       .consistency = consistency,
       .variables = {{.name = "w", .shape = {30, 7}}},
       .chunk_elements = 64,
       .row_tables = tables,
       .client = {.retry_min = milliseconds(50), .retry_max = milliseconds(400)},
       .server = {.eager_bytes = random.below(2) * 1024,
                  .window_chunks = static_cast<std::uint32_t>(1 + random.below(4))}});
  cluster.start(std::vector<float>(cluster.count()));
  const bool synchronous = std::holds_alternative<Synchronous>(consistency);
  const float divisor = synchronous ? static_cast<float>(workers) : 1.0F;
  std::vector<float> expected(cluster.count());
  std::vector<Ledger> ledgers;
  for (const RowTable& table : tables) {
    const auto width = static_cast<std::size_t>(table.width);
    ledgers.push_back({std::vector<float>(static_cast<std::size_t>(table.rows) * width), width});
  }
  for (int step = 0; step < 5; ++step) {
    const bool with_dense = random.below(3) != 0;
    const bool with_second = random.below(2) == 0;
    std::vector<PushTicket> tickets;
    for (int rank = 0; rank < workers; ++rank) {
      PushRequest request;
      auto& gradients = cluster.worker(rank).gradients;
      if (with_dense) {
        std::ranges::fill(gradients, static_cast<float>(workers) * 2.0F);
        request.sources = {{{0, cluster.count()}, gradients.data()}};
        for (float& value : expected) value -= gradients[0] / divisor;
        auto& values = cluster.worker(rank).values;
        if (random.below(2) == 0) request.targets = {{{0, cluster.count()}, values.data()}};
      }
      for (std::uint32_t t = 0; t < (with_second ? 2U : 1U); ++t) {
        std::vector<std::uint64_t> keys(random.below(60));
        for (auto& key : keys) key = random.below(static_cast<std::uint64_t>(tables[t].rows));
        std::vector<float> row_gradients(keys.size() * ledgers[t].width);
        for (float& value : row_gradients) {
          value = (static_cast<float>(random.below(9)) - 4.0F) * static_cast<float>(workers);
        }
        ledgers[t].subtract(keys, row_gradients, divisor);
        request.rows.push_back(batch_of(t, ledgers[t].width, keys, row_gradients));
      }
      tickets.push_back(
          cluster.on_io(rank, [&](Client& client) { return client.push(std::move(request)); }));
    }
    // A pull beside the pushes must not disturb them.
    std::vector<float> beside;
    const auto pulled = cluster.pull_rows(workers - 1, 0, {0, 199, 100}, beside);
    for (const PushTicket& ticket : tickets) cluster.wait(ticket);
    cluster.wait(pulled);
  }
  ASSERT_EQ(cluster.server_values(), expected);
  for (std::uint32_t t = 0; t < 2; ++t) {
    ASSERT_EQ(cluster.server_rows(t), ledgers[t].values);
    std::vector<std::uint64_t> keys(static_cast<std::size_t>(tables[t].rows));
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = keys.size() - 1 - i;
    std::vector<float> values;
    cluster.wait(cluster.pull_rows(0, t, keys, values));
    const std::size_t width = ledgers[t].width;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      ASSERT_TRUE(
          std::equal(values.begin() + static_cast<std::ptrdiff_t>(i * width),
                     values.begin() + static_cast<std::ptrdiff_t>((i + 1) * width),
                     ledgers[t].values.begin() + static_cast<std::ptrdiff_t>(keys[i] * width)));
    }
  }
  const auto violations = cluster.world().violations();
  ASSERT_TRUE(violations.empty()) << violations.front();
}

TEST(RowsProtocol, SynchronousUpdatesAreNeitherLostNorDoubled) {
  support::for_each_seed(100, 5000, [](std::uint64_t seed) { run_integers(seed, Synchronous{}); });
}

TEST(RowsProtocol, AsynchronousUpdatesAreNeitherLostNorDoubled) {
  support::for_each_seed(100, 5000, [](std::uint64_t seed) { run_integers(seed, Asynchronous{}); });
}

std::vector<float> train_synchronously(std::uint64_t world_seed, int servers, RowUpdates updates,
                                       const transport::SimFaults& faults) {
  SimCluster cluster({.seed = world_seed,
                      .faults = faults,
                      .workers = 3,
                      .servers = servers,
                      .optimizer = Adam{.learning_rate = 0.01F},
                      .chunk_elements = 100,
                      .row_tables = {{.name = "t", .rows = 300, .width = 7, .updates = updates}},
                      .client = {.retry_min = milliseconds(50)}});
  base::PhiloxStream random(7);
  cluster.start(std::vector<float>(cluster.count()));
  for (int step = 0; step < 8; ++step) {
    std::vector<PushTicket> tickets;
    for (int rank = 0; rank < 3; ++rank) {
      std::vector<std::uint64_t> keys(random.below(80));
      for (auto& key : keys) key = random.below(40) * 7;
      std::vector<float> gradients(keys.size() * 7);
      for (float& value : gradients) value = random.uniform() - 0.5F;
      tickets.push_back(
          push_rows(cluster, rank, {batch_of(0, 7, keys, gradients)}, 1 + random.below(20)));
    }
    for (const PushTicket& ticket : tickets) cluster.wait(ticket);
  }
  return cluster.server_rows(0);
}

TEST(RowsProtocol, SynchronousBitsDoNotDependOnTimingFaultsOrServers) {
  const std::uint64_t seed = support::seed();
  for (const RowUpdates updates : {RowUpdates::kLazy, RowUpdates::kDense}) {
    const auto reference = train_synchronously(seed, 1, updates, {});
    for (const int servers : {1, 2, 5}) {
      EXPECT_EQ(train_synchronously(seed + 1, servers, updates, {.delay_max = milliseconds(20)}),
                reference);
      EXPECT_EQ(train_synchronously(seed + 2, servers, updates, rough()), reference);
    }
  }
}

TEST(RowsProtocol, APullIsOfOneVersionThoughPushesGoOn) {
  const std::uint64_t seed = support::seed();
  SimCluster cluster({.seed = seed,
                      .faults = rough(),
                      .workers = 3,
                      .consistency = Asynchronous{},
                      .chunk_elements = 64,
                      .row_tables = zeros(100, 5),
                      .client = {.retry_min = milliseconds(50)}});
  cluster.start(std::vector<float>(cluster.count()));
  std::vector<std::uint64_t> keys(100);
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = i;
  const auto ones = batch_of(0, 5, keys, std::vector<float>(500, 1.0F));
  for (int round = 0; round < 20; ++round) {
    const std::vector<PushTicket> pushes{push_rows(cluster, 0, {ones}),
                                         push_rows(cluster, 1, {ones})};
    std::vector<float> values;
    cluster.wait(cluster.pull_rows(2, 0, keys, values));
    EXPECT_EQ(values, std::vector<float>(values.size(), values.front()));
    for (const PushTicket& push : pushes) cluster.wait(push);
  }
  EXPECT_TRUE(cluster.world().violations().empty());
}

TEST(RowsProtocol, ALargePullIsAskedForInTurn) {
  // 19 MiB from one server, and more tables than a request may name.
  constexpr std::uint64_t kRows = 300;
  constexpr std::size_t kWidth = 16 * 1024;
  std::vector<RowTable> tables;
  for (int i = 0; i < 20; ++i) {
    tables.push_back({.name = "t" + std::to_string(i),
                      .rows = kRows,
                      .width = kWidth,
                      .initializer = Constant{2.0F}});
  }
  SimCluster cluster({.workers = 1, .chunk_elements = 1 << 16, .row_tables = tables});
  cluster.start(std::vector<float>(cluster.count()));
  std::vector<std::uint64_t> keys(kRows);
  std::vector<float> gradients(kRows * kWidth);
  for (std::size_t i = 0; i < kRows; ++i) {
    keys[i] = i;
    std::fill_n(gradients.begin() + static_cast<std::ptrdiff_t>(i * kWidth), kWidth,
                -static_cast<float>(i));
  }
  cluster.wait(push_rows(cluster, 0, {batch_of(3, kWidth, keys, gradients)}));
  std::vector<RowTarget> targets;
  std::vector<std::vector<float>> values(tables.size());
  for (std::uint32_t t = 0; t < tables.size(); ++t) {
    const std::size_t count = t == 3 ? keys.size() : 2;
    values[t].resize(count * kWidth);
    const auto index = std::make_shared<RowIndex>(index_rows(std::span(keys).first(count)));
    targets.push_back({t, index, values[t].data()});
  }
  const auto done = cluster.on_io(0, [&](Client& client) { return client.pull_rows(targets); });
  cluster.wait(done);
  ASSERT_EQ(error_of(done), "");
  for (std::size_t i = 0; i < kRows; ++i) {
    EXPECT_EQ(values[3][i * kWidth], 2.0F + static_cast<float>(i));
    EXPECT_EQ(values[3][(i + 1) * kWidth - 1], 2.0F + static_cast<float>(i));
  }
  for (const std::uint32_t t : {0U, 19U}) {
    EXPECT_EQ(values[t], std::vector<float>(2 * kWidth, 2.0F));
  }
}

TEST(RowsProtocol, AWorkerLostHalfWayLeavesItsRowsOut) {
  SimCluster cluster({.workers = 2,
                      .consistency = Asynchronous{},
                      .chunk_elements = 64,
                      .row_tables = zeros(100, 8),
                      .server = {.eager_bytes = 0, .window_chunks = 1}});
  cluster.start(std::vector<float>(cluster.count()));
  std::vector<std::uint64_t> keys(100);
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = i;
  const auto ones = batch_of(0, 8, keys, std::vector<float>(800, 1.0F));
  (void)push_rows(cluster, 1, {ones});
  Server& server = *cluster.host(0).server;
  cluster.wait_for([&] { return server.row_shards()[0].rows_in_sum() > 0; }, seconds(5));
  cluster.world().kill(*cluster.worker(1).endpoint);
  const PushTicket other =
      push_rows(cluster, 0, {batch_of(0, 8, {5}, std::vector<float>(8, 2.0F))});
  cluster.world().run_for(seconds(2));
  server.worker_lost(cluster.worker(1).endpoint->incarnation(), 1);
  cluster.wait(other);
  std::vector<float> expected(800);
  std::fill_n(expected.begin() + 40, 8, -2.0F);
  EXPECT_EQ(cluster.server_rows(0), expected);
}

/// What the server answers to a request that no client of ours sends.
std::string refusal(const std::function<void(pb::Request&, std::vector<transport::Frame>&)>& make) {
  SimCluster cluster({.workers = 1, .servers = 2, .row_tables = zeros(10, 2)});
  cluster.start(std::vector<float>(cluster.count()));
  transport::Endpoint& endpoint = *cluster.worker(0).endpoint;
  pb::Request request;
  std::vector<transport::Frame> payload;
  make(request, payload);
  const transport::LinkId link = endpoint.connect("sim://ps0").value();
  struct Listener final : transport::Handler {
    std::string text = "nothing";
    void on_message(transport::Incoming incoming) override {
      pb::Reply reply;
      if (reply.ParseFromString(incoming.message.body)) text = reply.failure().text();
    }
    base::TimePoint on_timer(base::TimePoint) override { return base::kForever; }
  } listener;
  endpoint.set_handler(transport::Service::kPs, nullptr);
  endpoint.set_handler(transport::Service::kPs, &listener);
  EXPECT_FALSE(endpoint.send(link, {.service = transport::Service::kPs,
                                    .body = request.SerializeAsString(),
                                    .payload = payload}));
  cluster.wait_for([&] { return listener.text != "nothing"; }, seconds(10));
  endpoint.set_handler(transport::Service::kPs, nullptr);
  return listener.text;
}

transport::Frame keys_frame(const std::vector<std::uint64_t>& keys, std::size_t floats = 0) {
  std::vector<std::byte> bytes(keys.size() * 8 + floats * 4);
  std::memcpy(bytes.data(), keys.data(), keys.size() * 8);
  return transport::copy_frame(bytes);
}

TEST(RowsProtocol, WhatIsNoRowOfTheServerIsRefused) {
  const auto begin = [](pb::Request& request) -> pb::Begin& {
    pb::Begin& message = *request.mutable_begin();
    message.set_sequence(2);
    message.set_kind(pb::Begin::PUSH);
    message.set_weight(1);
    message.add_rows()->set_count(2);
    return message;
  };
  EXPECT_EQ(refusal([&](auto& request, auto& payload) {
              begin(request);
              payload = {keys_frame({1, 7}, 4)};
            }),
            "key 7 of \"t\" is none of the server's rows.");
  EXPECT_EQ(refusal([&](auto& request, auto& payload) {
              begin(request);
              payload = {keys_frame({1, 2}, 3)};
            }),
            "chunk 0 of 2 rows has 28 bytes instead of 32.");
  EXPECT_NE(refusal([&](auto& request, auto&) {
              begin(request).mutable_rows(0)->set_count(std::uint64_t{1} << 60);
            }).find("of which the server has 5"),
            std::string::npos);
  EXPECT_EQ(refusal([&](auto& request, auto&) { begin(request).set_kind(pb::Begin::FREEZE); }),
            "rows in an operation without values.");
  const auto pull = [](pb::Request& request, std::uint64_t count) {
    request.mutable_pull()->set_id(1000);
    request.mutable_pull()->add_rows()->set_count(count);
  };
  EXPECT_EQ(refusal([&](auto& request, auto& payload) {
              pull(request, 2);
              payload = {keys_frame({1, ~std::uint64_t{0}})};
            }),
            "key 18446744073709551615 of \"t\" is none of the server's rows.");
  EXPECT_EQ(refusal([&](auto& request, auto& payload) {
              pull(request, 3);
              payload = {keys_frame({1, 2})};
            }),
            "a pull of 3 rows has 16 bytes of keys.");
  EXPECT_EQ(refusal([&](auto& request, auto&) { pull(request, 2); }),
            "a pull of rows and ranges, or without a frame of keys for each table.");
}

}  // namespace
}  // namespace dtrain::inline v0::ps
