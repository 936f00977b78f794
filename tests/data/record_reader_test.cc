#include "data/record_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/philox.h"
#include "data/data_testing.h"
#include "support/seed.h"

namespace dtrain::inline v0::data {
namespace {

std::string framed(std::string_view record) {
  std::string bytes;
  append_record(record, bytes);
  return bytes;
}

ReadBytes from(std::string bytes) {
  return [bytes = std::move(bytes), next = std::size_t{0}](std::span<char> out) mutable {
    const std::size_t count = std::min(out.size(), bytes.size() - next);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(next), count, out.begin());
    next += count;
    return count;
  };
}

std::vector<std::string> read(std::string bytes, std::uint64_t record_bytes_max = 1 << 20) {
  RecordReader reader("x.tfrecord", from(std::move(bytes)), record_bytes_max);
  std::vector<std::string> records;
  for (std::string_view record; reader.next(record);) records.emplace_back(record);
  return records;
}

TEST(MaskedCrc32c, IsWhatTensorFlowWrites) {
  // A record of the bytes "abc", as tf.io.TFRecordWriter writes it.
  EXPECT_EQ(framed("abc"), std::string("\x03\0\0\0\0\0\0\0\xb0\x99\x49\x0e"
                                       "abc\x6e\x57\xf1\x21",
                                       19));
}

TEST(RecordReader, GivesTheRecordsOfAFile) {
  EXPECT_EQ(read(""), std::vector<std::string>{});
  EXPECT_EQ(read(framed("")), std::vector<std::string>{""});
  EXPECT_EQ(read(framed("a") + framed("bcd")), (std::vector<std::string>{"a", "bcd"}));
}

TEST(RecordReader, RecordsMayBeLongerThanItsBuffer) {
  base::PhiloxStream random(support::seed());
  std::vector<std::string> records;
  std::string bytes;
  for (int i = 0; i < 40; ++i) {
    records.emplace_back(random.below(i % 10 == 0 ? 2'000'000 : 50'000),
                         static_cast<char>('a' + i % 26));
    bytes += framed(records.back());
  }
  EXPECT_TRUE(read(bytes, 2'000'000) == records);
}

TEST(RecordReader, DamageIsNoticedAndPlaced) {
  const std::string good = framed("first") + framed("second");
  const auto expect = [](const std::string& bytes, std::initializer_list<std::string_view> texts) {
    expect_error([&] { read(bytes); }, ErrorCode::kDataLoss, texts);
  };
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string damaged = good;
    damaged[i] ^= 1;
    const std::string_view place = i < framed("first").size() ? "x.tfrecord record 0 (at byte 0)"
                                                              : "x.tfrecord record 1 (at byte 21)";
    expect(damaged, {place, "checksum"});
    if (i == 0 || i == framed("first").size()) continue;
    expect(good.substr(0, i), {place, "is cut off"});
  }
  expect("age,income\n39,0\n", {"record 0", "TFRecord file"});
}

TEST(RecordReader, ARecordHasALimit) {
  expect_error([] { read(framed("abcd"), 3); }, ErrorCode::kResourceExhausted,
               {"record 0 (at byte 0) is 4 bytes long", "record_bytes_max"});
}

}  // namespace
}  // namespace dtrain::inline v0::data
