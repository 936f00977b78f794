#include "transport/shm_record.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "base/philox.h"
#include "support/seed.h"

namespace dtrain::transport {
namespace {

std::vector<std::byte> encoded(const ShmRecord& record) {
  std::vector<std::byte> bytes;
  encode_record(record, bytes);
  return bytes;
}

ShmRecord sample(std::span<const std::byte> inline_bytes) {
  ShmRecord record;
  record.frames.push_back({.length = inline_bytes.size(), .bytes = inline_bytes});
  record.frames.push_back({.segment = 3, .offset = 64, .lease = 9, .length = 1 << 20});
  record.frames.push_back({});
  return record;
}

void overwrite(std::vector<std::byte>& bytes, std::size_t at, std::uint64_t value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

TEST(ShmRecord, MessageComesBackAsItWas) {
  const std::vector<std::byte> body(13, std::byte{0x5A});
  const auto bytes = encoded(sample(body));
  EXPECT_EQ(bytes.size() % 8, 0U);
  EXPECT_EQ(bytes.size(), kShmRecordHeaderBytes + shm_frame_bytes(13) + 2 * shm_frame_bytes(0));
  const auto record = decode_record(bytes);
  ASSERT_TRUE(record.ok()) << record.error().what();
  ASSERT_EQ(record.value().frames.size(), 3U);
  const auto& frames = record.value().frames;
  EXPECT_TRUE(std::ranges::equal(frames[0].bytes, body));
  EXPECT_EQ(frames[1].segment, 3U);
  EXPECT_EQ(frames[1].offset, 64U);
  EXPECT_EQ(frames[1].length, 1U << 20);
  EXPECT_EQ(frames[1].lease, 9U);
  EXPECT_TRUE(frames[2].bytes.empty());
}

TEST(ShmRecord, NumbersComeBackAsTheyWere) {
  for (const auto kind : {ShmRecord::Kind::kReleased, ShmRecord::Kind::kForget}) {
    ShmRecord record;
    record.kind = kind;
    record.numbers = {1, 5, std::numeric_limits<std::uint64_t>::max()};
    const auto decoded = decode_record(encoded(record));
    ASSERT_TRUE(decoded.ok()) << decoded.error().what();
    EXPECT_EQ(decoded.value().kind, kind);
    EXPECT_EQ(decoded.value().numbers, record.numbers);
  }
}

TEST(ShmRecord, EveryShorterOneIsRefused) {
  const std::vector<std::byte> body(13, std::byte{1});
  const auto bytes = encoded(sample(body));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_record(std::span(bytes).first(size)).ok()) << size;
  }
}

TEST(ShmRecord, LengthsAndCountsThatCannotBeAreRefused) {
  const std::vector<std::byte> body(13, std::byte{1});
  constexpr std::size_t kCount = 8;
  constexpr std::size_t kFirstLength = kShmRecordHeaderBytes + 16;
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{1} << 63, std::uint64_t{257}, ~std::uint64_t{0}}) {
    auto counted = encoded(sample(body));
    overwrite(counted, kCount, value);
    EXPECT_FALSE(decode_record(counted).ok()) << value;
    auto sized = encoded(sample(body));
    overwrite(sized, kFirstLength, value);
    EXPECT_FALSE(decode_record(sized).ok()) << value;
  }
  auto unknown = encoded(sample(body));
  unknown[4] = std::byte{9};
  EXPECT_FALSE(decode_record(unknown).ok());
  ShmRecord numbers;
  numbers.kind = ShmRecord::Kind::kReleased;
  numbers.numbers = {1, 2};
  auto miscounted = encoded(numbers);
  overwrite(miscounted, kCount, 3);
  EXPECT_FALSE(decode_record(miscounted).ok());
}

TEST(ShmRecord, RandomBytesNeverLeadOutOfTheRecord) {
  base::PhiloxStream random(support::seed());
  for (int round = 0; round < 20'000; ++round) {
    const std::vector<std::byte> body(random.below(40), std::byte{1});
    auto bytes = encoded(sample(body));
    for (int flips = 0; flips < 3; ++flips) {
      bytes[random.below(bytes.size())] = static_cast<std::byte>(random.below(256));
    }
    const auto record = decode_record(bytes);
    if (!record.ok()) continue;
    for (const ShmFrame& frame : record.value().frames) {
      if (frame.bytes.empty()) continue;
      ASSERT_GE(frame.bytes.data(), bytes.data());
      ASSERT_LE(frame.bytes.data() + frame.bytes.size(), bytes.data() + bytes.size());
    }
  }
}

}  // namespace
}  // namespace dtrain::transport
