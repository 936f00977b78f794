// What a server has to move falls as their number rises.
#include <gtest/gtest.h>

#include <algorithm>

#include "ps/sim_cluster.h"

namespace dtrain::inline v0::ps {
namespace {

/// Payload bytes a step, in and out, of the server that moves most, with 64 workers and the
/// variables of the digits example as a model lays them out.
double busiest_server_bytes(int servers) {
  constexpr int kWorkers = 64;
  constexpr int kSteps = 3;
  SimCluster cluster({.workers = kWorkers,
                      .servers = servers,
                      .variables = {{.name = "dense_1/kernel", .shape = {128, 10}},
                                    {.name = "dense_1/bias", .shape = {10}},
                                    {.name = "dense/kernel", .shape = {64, 128}},
                                    {.name = "dense/bias", .shape = {128}}},
                      .chunk_elements = Table::kChunkElementsDefault});
  cluster.start(std::vector<float>(cluster.count(), 0.0F));
  const auto moved = [&](int server) {
    const auto counters = cluster.host(server).endpoint->counters();
    return counters.payload_bytes_received + counters.payload_bytes_sent;
  };
  std::vector<std::uint64_t> before;
  for (int i = 0; i < servers; ++i) before.push_back(moved(i));
  for (int step = 0; step < kSteps; ++step) {
    std::vector<PushTicket> tickets;
    for (int rank = 0; rank < kWorkers; ++rank) tickets.push_back(cluster.push(rank, 1, true));
    for (const PushTicket& ticket : tickets) cluster.wait(ticket);
  }
  std::uint64_t busiest = 0;
  for (int i = 0; i < servers; ++i) {
    busiest = std::max(busiest, moved(i) - before[static_cast<std::size_t>(i)]);
  }
  return static_cast<double>(busiest) / kSteps;
}

TEST(Balance, TheBusiestServersBytesFallAsOneOverTheServers) {
  const double alone = busiest_server_bytes(1);
  EXPECT_GE(alone, 64 * 2 * (64 * 128 + 128 + 128 * 10 + 10) * sizeof(float));
  for (const int servers : {2, 4, 19}) {
    const double ratio = busiest_server_bytes(servers) / alone * servers;
    EXPECT_GE(ratio, 1.0) << servers;
    EXPECT_LE(ratio, 1.1) << servers;
  }
}

}  // namespace
}  // namespace dtrain::inline v0::ps
