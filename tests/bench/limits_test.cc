#include "bench/limits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "bench/limits_memory.h"
#include "bench/limits_ping.h"
#include "bench/limits_product.h"
#include "bench/limits_ring.h"
#include "bench/limits_rows.h"
#include "bench/limits_stream.h"
#include "bench/limits_zmq.h"
#include "dtrain/error.h"

namespace dtrain::bench {
namespace {

constexpr std::size_t kBytes = 1 << 20;
constexpr std::size_t kChunk = 100'000;  // does not divide the size

void expect_times(const std::vector<double>& seconds, std::size_t count) {
  EXPECT_EQ(seconds.size(), count);
  EXPECT_TRUE(std::all_of(seconds.begin(), seconds.end(), [](double s) { return s > 0; }));
}

TEST(MemoryLimitTest, AddsEveryElement) {
  std::vector<float> sum(1001, 1.0F);
  std::vector<float> added(1001);
  for (std::size_t i = 0; i < added.size(); ++i) added[i] = static_cast<float>(i);
  add_in_place(sum, added);
  for (std::size_t i = 0; i < sum.size(); ++i) EXPECT_EQ(sum[i], static_cast<float>(i) + 1);
}

TEST(MemoryLimitTest, MeasuresUpToTheSizeItWasMadeFor) {
  MemoryLimit memory(kBytes);
  for (const std::size_t bytes : {std::size_t{4}, std::size_t{4096}, kBytes}) {
    EXPECT_GT(memory.copy(bytes, kChunk), 0);
    EXPECT_GT(memory.copy(bytes, 0), 0);
    EXPECT_GT(memory.add(bytes), 0);
  }
  EXPECT_THROW(memory.copy(kBytes + 4, kChunk), Error);
  EXPECT_THROW(memory.add(6), Error);
}

TEST(RowsLimitTest, GathersAndAddsTheRowsThatTheKeysName) {
  RowsLimit table(100, 3);
  const std::vector<std::uint64_t> keys = {0, 7, 8, 99};
  std::vector<float> rows(keys.size() * 3);
  EXPECT_GT(table.gather(keys, rows), 0);
  const std::vector<float> before(table.values().begin(), table.values().end());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i], before[keys[i / 3] * 3 + i % 3]);
  }
  EXPECT_GT(table.scatter_add(keys, rows), 0);
  std::vector<float> doubled(rows.size());
  table.gather(keys, doubled);
  for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(doubled[i], 2 * rows[i]);
  EXPECT_THROW(table.gather(std::vector<std::uint64_t>{100}, std::span(rows).first(3)), Error);
  EXPECT_THROW(table.gather(keys, std::span(rows).first(3)), Error);
}

TEST(ProductLimitTest, MeasuresEveryTranspose) {
  EXPECT_GT(ProductLimit({16, 24, 8}).sample(), 0);
  EXPECT_GT(ProductLimit({16, 24, 8, true, false}).sample(), 0);
  EXPECT_GT(ProductLimit({16, 24, 8, false, true}).sample(), 0);
}

TEST(StreamLimitTest, SamplesTakeTurns) {
  for (const StreamKind kind : {StreamKind::kTcp, StreamKind::kUnix}) {
    StreamLimit stream(kind, kBytes);
    for (int i = 0; i < 3; ++i) {
      EXPECT_GT(stream.one_way(kBytes, kChunk), 0);
      EXPECT_GT(stream.full_duplex(kBytes, kChunk), 0);
    }
    EXPECT_GT(stream.one_way(1, kChunk), 0);
    EXPECT_THROW(stream.one_way(kBytes + 1, kChunk), Error);
  }
}

TEST(RingLimitTest, SamplesTakeTurns) {
  RingLimit ring(kBytes, kChunk);
  for (int i = 0; i < 10; ++i) {
    EXPECT_GT(ring.sample(kBytes, kChunk), 0);
    EXPECT_GT(ring.sample(kBytes, 4096), 0);
    EXPECT_GT(ring.sample(1, 1), 0);
  }
  // Small pieces, many sleeps: a wake-up that is lost takes until the deadline of 10 s.
  for (int i = 0; i < 50; ++i) EXPECT_LT(ring.sample(kBytes, 512), 5);
  EXPECT_THROW(ring.sample(kBytes, kChunk + 1), Error);
  EXPECT_THROW(ring.sample(kBytes + 1, kChunk), Error);
}

TEST(PingLimitTest, SamplesTakeTurns) {
  PingLimit ping;
  for (int i = 0; i < 3; ++i) {
    expect_times(ping.sample(20), 20);
    expect_times(ping.sample(20, Waiting::kSleep, Cores::kOne), 20);
    expect_times(ping.sample(20, Waiting::kSleep, Cores::kTwo), 20);
    expect_times(ping.sample(20, Waiting::kSpin), 20);
  }
}

TEST(ZmqPingLimitTest, SamplesTakeTurns) {
  for (const ZmqTransport transport : {ZmqTransport::kTcp, ZmqTransport::kIpc}) {
    ZmqPingLimit ping(transport);
    expect_times(ping.sample(20, 64, 64), 20);
    expect_times(ping.sample(20, 1, 4096), 20);
    expect_times(ping.sample(20, 4096, 1), 20);
  }
}

}  // namespace
}  // namespace dtrain::bench
