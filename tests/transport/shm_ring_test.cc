#include "transport/shm_ring.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "transport/shm_record.h"
#include "transport/shm_socket.h"

namespace dtrain::transport {
namespace {

/// Both ends of a session in one process, each with its own mappings.
struct RingPair {
  std::shared_ptr<base::SharedMemory> a = base::SharedMemory::create(kShmOutboxBytes).value();
  std::shared_ptr<base::SharedMemory> b = base::SharedMemory::create(kShmOutboxBytes).value();
  ShmRing at_a{a, base::SharedMemory::map(dup(b->fd()), kShmOutboxBytes).value()};
  ShmRing at_b{b, base::SharedMemory::map(dup(a->fd()), kShmOutboxBytes).value()};
};

std::vector<std::byte> record_of(std::size_t size, std::uint32_t salt) {
  std::vector<std::byte> record(size, static_cast<std::byte>(salt));
  const auto written = static_cast<std::uint32_t>(size);
  std::memcpy(record.data(), &written, sizeof(written));
  return record;
}

void write_number(base::SharedMemory& outbox, std::size_t at, std::uint64_t value) {
  std::memcpy(outbox.writable().data() + at, &value, sizeof(value));
}

TEST(ShmRing, RecordsComeInOrderAroundTheEnd) {
  RingPair pair;
  std::vector<std::byte> got;
  for (std::uint32_t i = 0; i < 500; ++i) {
    const auto record = record_of(16 + 8 * (i * 37 % 900), i);
    ASSERT_EQ(pair.at_a.put(record), ShmRing::Put::kDone);
    ASSERT_EQ(pair.at_b.get(got), ShmRing::Get::kRecord);
    EXPECT_EQ(got, record) << i;
    pair.at_b.free_room();
  }
  EXPECT_EQ(pair.at_b.get(got), ShmRing::Get::kEmpty);
}

TEST(ShmRing, FullRingTakesMoreOnceThePeerHasRead) {
  RingPair pair;
  const auto record = record_of(4096, 1);
  int put = 0;
  while (pair.at_a.put(record) == ShmRing::Put::kDone) ++put;
  EXPECT_EQ(put, static_cast<int>(kShmRingBytes / 4096));
  std::vector<std::byte> got;
  ASSERT_EQ(pair.at_b.get(got), ShmRing::Get::kRecord);
  EXPECT_EQ(pair.at_a.put(record), ShmRing::Put::kFull) << "nobody was told yet";
  pair.at_b.free_room();
  EXPECT_EQ(pair.at_a.put(record), ShmRing::Put::kDone);
}

TEST(ShmRing, SleeperIsRungForOnce) {
  RingPair pair;
  EXPECT_FALSE(pair.at_a.must_ring_for_data()) << "it is awake";
  ASSERT_TRUE(pair.at_b.try_sleep());
  ASSERT_EQ(pair.at_a.put(record_of(16, 1)), ShmRing::Put::kDone);
  EXPECT_TRUE(pair.at_a.must_ring_for_data());
  EXPECT_FALSE(pair.at_a.must_ring_for_data());
  pair.at_b.wake();
  EXPECT_FALSE(pair.at_b.try_sleep()) << "there is something to read";
  std::vector<std::byte> got;
  ASSERT_EQ(pair.at_b.get(got), ShmRing::Get::kRecord);
  ASSERT_TRUE(pair.at_b.try_sleep());
  EXPECT_TRUE(pair.at_a.must_ring_for_data()) << "it sleeps again";
}

TEST(ShmRing, WriterThatWaitsForRoomIsRungFor) {
  RingPair pair;
  while (pair.at_a.put(record_of(8192, 1)) == ShmRing::Put::kDone) {
  }
  pair.at_a.want_room(true);
  ASSERT_TRUE(pair.at_a.try_sleep());
  std::vector<std::byte> got;
  ASSERT_EQ(pair.at_b.get(got), ShmRing::Get::kRecord);
  pair.at_b.free_room();
  EXPECT_TRUE(pair.at_b.must_ring_for_room());
  EXPECT_FALSE(pair.at_b.must_ring_for_room());
  EXPECT_FALSE(pair.at_a.try_sleep()) << "there is room";
  ASSERT_EQ(pair.at_a.put(record_of(8192, 1)), ShmRing::Put::kDone);
  pair.at_a.want_room(false);
  ASSERT_TRUE(pair.at_a.try_sleep());
  EXPECT_FALSE(pair.at_b.must_ring_for_room()) << "nobody waits for room";
}

TEST(ShmRing, ImpossiblePositionsAreRefused) {
  constexpr std::size_t kHead = 0;
  constexpr std::size_t kTail = 64;
  std::vector<std::byte> got;
  for (const std::uint64_t head : {std::uint64_t{8}, std::uint64_t{17}, std::uint64_t{1} << 40,
                                   ~std::uint64_t{0}, ~std::uint64_t{7}}) {
    RingPair pair;
    write_number(*pair.a, kHead, head);
    EXPECT_EQ(pair.at_b.get(got), ShmRing::Get::kBroken) << head;
  }
  for (const std::uint64_t tail : {std::uint64_t{17}, ~std::uint64_t{0}}) {
    RingPair pair;
    ASSERT_EQ(pair.at_a.put(record_of(16, 1)), ShmRing::Put::kDone);
    write_number(*pair.b, kTail, tail);
    EXPECT_FALSE(pair.at_a.peer_read().has_value()) << tail;
  }
  RingPair pair;
  ASSERT_EQ(pair.at_a.put(record_of(16, 1)), ShmRing::Put::kDone);
  write_number(*pair.b, kTail, 16);
  EXPECT_EQ(pair.at_a.peer_read(), 16U);
  write_number(*pair.b, kTail, 8);
  EXPECT_FALSE(pair.at_a.peer_read().has_value()) << "it went back";
}

TEST(ShmRing, RecordSizesThatCannotBeAreRefused) {
  std::vector<std::byte> got;
  for (const std::uint32_t size : {0U, 8U, 17U, 32U, 20'000U, ~0U}) {
    RingPair pair;
    auto record = record_of(24, 1);
    std::memcpy(record.data(), &size, sizeof(size));
    ASSERT_EQ(pair.at_a.put(record), ShmRing::Put::kDone);
    EXPECT_EQ(pair.at_b.get(got), ShmRing::Get::kBroken) << size;
  }
}

TEST(ShmRing, NothingIsLostBetweenTwoThreadsThatSleep) {
  RingPair pair;
  const Fd bell_a = make_doorbell();
  const Fd bell_b = make_doorbell();
  constexpr std::uint32_t kRecords = 20'000;
  const auto wait = [](const Fd& bell) {
    // The tests' doorbells are waited for by reading; epoll is the endpoint's.
    fcntl(bell.get(), F_SETFL, 0);
    std::uint64_t count;
    ASSERT_EQ(read(bell.get(), &count, sizeof(count)), 8);
  };
  std::thread reader([&] {
    std::vector<std::byte> got;
    for (std::uint32_t i = 0; i < kRecords;) {
      const ShmRing::Get result = pair.at_b.get(got);
      ASSERT_NE(result, ShmRing::Get::kBroken);
      if (result == ShmRing::Get::kRecord) {
        ASSERT_EQ(got, record_of(16 + 8 * (i % 300), i));
        ++i;
        pair.at_b.free_room();
        if (pair.at_b.must_ring_for_room()) ring(bell_a);
      } else if (pair.at_b.try_sleep()) {
        wait(bell_b);
        pair.at_b.wake();
      }
    }
  });
  for (std::uint32_t i = 0; i < kRecords;) {
    if (pair.at_a.put(record_of(16 + 8 * (i % 300), i)) == ShmRing::Put::kDone) {
      ++i;
      pair.at_a.want_room(false);
      if (pair.at_a.must_ring_for_data()) ring(bell_b);
      continue;
    }
    pair.at_a.want_room(true);
    if (pair.at_a.try_sleep()) {
      wait(bell_a);
      pair.at_a.wake();
    }
  }
  reader.join();
}

}  // namespace
}  // namespace dtrain::transport
