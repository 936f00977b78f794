#include "checkpoint/file_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/philox.h"
#include "checkpoint/sim_file_system.h"
#include "dtrain/error.h"
#include "support/seed.h"

namespace dtrain::inline v0::checkpoint {
namespace {

constexpr const char* kPath = "some/ckpt-1";

template <typename T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

Error error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::kInternal, "no error");
}

bool contains(const Error& error, const std::string& text) {
  return std::string(error.what()).find(text) != std::string::npos;
}

/// "w" (2, 1) int32 and the text "t".
void write_small(SimFileSystem& files) {
  const auto writer = make_file_writer(files, kPath);
  writer->add({"w", DType::kInt32, {2, 1}}, {0, 2});
  writer->append(bytes_of(std::vector<std::int32_t>{1, -2}));
  write_text(*writer, "t", "hi");
  writer->finish();
}

std::string unhex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

TEST(FileFormat, ASmallFileHasTheBytesThatTheDocumentSays) {
  SimFileSystem files;
  write_small(files);
  // Made from docs/checkpoints.md by a program of its own.
  EXPECT_EQ(files.bytes(kPath),
            unhex("4454524e434b5054010000000000100001000000feffffff6869020000000000"
                  "0000010000007702020200000000000000010000000000000000000000000000"
                  "0002000000000000002dd1c9af01000000740400000000000000000002000000"
                  "00000000c2d99df51a000000000000004e00000000000000b97d9a8ed040ca7b"
                  "4454524e43454e44"));
  const auto reader = make_file_reader(files.open(kPath), kPath);
  EXPECT_EQ(reader->tensors(),
            (std::vector<TensorInfo>{{"t", DType::kText, {}}, {"w", DType::kInt32, {2, 1}}}));
  EXPECT_EQ(reader->read_text("t"), "hi");
  std::int32_t second = 0;
  reader->read("w", 1, std::as_writable_bytes(std::span(&second, 1)));
  EXPECT_EQ(second, -2);
}

TEST(FileFormat, EveryFlippedBitIsFound) {
  SimFileSystem files;
  write_small(files);
  const std::string good = files.bytes(kPath);
  for (std::size_t i = 0; i < good.size() * 8; ++i) {
    files.bytes(kPath) = good;
    files.bytes(kPath)[i / 8] = static_cast<char>(good[i / 8] ^ (1 << (i % 8)));
    const Error error = error_of([&] { make_file_reader(files.open(kPath), kPath)->verify(); });
    ASSERT_EQ(error.code(), ErrorCode::kDataLoss) << "bit " << i << ": " << error.what();
    ASSERT_TRUE(contains(error, kPath)) << error.what();
  }
}

TEST(FileFormat, EveryTruncationIsFound) {
  SimFileSystem files;
  write_small(files);
  const std::string good = files.bytes(kPath);
  for (std::size_t size = 0; size < good.size(); ++size) {
    files.bytes(kPath) = good.substr(0, size);
    const Error error = error_of([&] { make_file_reader(files.open(kPath), kPath); });
    ASSERT_EQ(error.code(), ErrorCode::kDataLoss) << size << " bytes: " << error.what();
  }
  files.bytes(kPath) = good + "x";
  EXPECT_EQ(error_of([&] { make_file_reader(files.open(kPath), kPath); }).code(),
            ErrorCode::kDataLoss);
}

TEST(FileFormat, DamageIsNamedByTensorAndPlace) {
  SimFileSystem files;
  write_small(files);
  files.bytes(kPath)[kHeaderBytes] ^= 1;
  const auto reader = make_file_reader(files.open(kPath), kPath);
  EXPECT_EQ(reader->read_text("t"), "hi") << "other tensors are whole";
  const Error error = error_of([&] { reader->verify(); });
  EXPECT_TRUE(contains(error, "\"w\" in \"some/ckpt-1\" is damaged at bytes 16 to 24"))
      << error.what();
  EXPECT_TRUE(contains(error, "Delete the file, so that the one before it is used"))
      << error.what();
}

TEST(FileFormat, AWriterThatWasNotFinishedLeavesNoCheckpoint) {
  SimFileSystem files;
  const auto writer = make_file_writer(files, kPath);
  write_integer(*writer, "a", 1);
  EXPECT_EQ(error_of([&] { make_file_reader(files.open(kPath), kPath); }).code(),
            ErrorCode::kDataLoss);
}

TEST(FileFormat, ALaterVersionIsNotCalledDamage) {
  SimFileSystem files;
  std::string header = encode_header();
  header[8] = 2;
  const std::string index = encode_index({});
  files.create(kPath);
  files.bytes(kPath) = header + index + encode_footer(header, index, kHeaderBytes);
  EXPECT_EQ(error_of([&] { make_file_reader(files.open(kPath), kPath); }).code(),
            ErrorCode::kUnimplemented);
}

TEST(FileFormat, LargeTensorsComeBackInAnyPieces) {
  base::PhiloxStream random(support::seed());
  std::vector<float> values(3 * kBlockBytes / sizeof(float) + 77);
  for (float& value : values) value = random.uniform();
  const auto count = static_cast<std::int64_t>(values.size());
  SimFileSystem files;
  const auto writer = make_file_writer(files, kPath);
  write_integer(*writer, "before", 7);
  // In two slices, the later one first, each appended in pieces of any length.
  const std::size_t cut = 1 + random.below(values.size() - 1);
  for (const Slice slice : {Slice{cut, values.size() - cut}, Slice{0, cut}}) {
    writer->add({"large", DType::kFloat32, {count}}, slice);
    auto left = std::as_bytes(std::span(values).subspan(slice.begin, slice.count));
    while (!left.empty()) {
      const auto piece =
          left.first(std::min<std::size_t>(left.size(), random.below(kBlockBytes * 2)));
      writer->append(piece);
      left = left.subspan(piece.size());
    }
  }
  writer->finish();
  const auto reader = make_file_reader(files.open(kPath), kPath);
  reader->verify();
  EXPECT_EQ(read_integer(*reader, "before"), 7);
  for (int i = 0; i < 20; ++i) {
    const std::size_t begin = random.below(values.size());
    std::vector<float> part(random.below(values.size() - begin + 1));
    reader->read("large", begin, std::as_writable_bytes(std::span(part)));
    ASSERT_TRUE(std::equal(part.begin(), part.end(), values.begin() + static_cast<long>(begin)));
  }
  std::vector<float> beyond(2);
  EXPECT_EQ(error_of([&] {
              reader->read("large", values.size() - 1, std::as_writable_bytes(std::span(beyond)));
            }).code(),
            ErrorCode::kInvalidArgument);
}

TEST(FileFormat, EmptyTensorsAndTextsAreTensors) {
  SimFileSystem files;
  const auto writer = make_file_writer(files, kPath);
  writer->add({"none", DType::kFloat32, {4, 0}}, {0, 0});
  write_text(*writer, "text", "");
  writer->finish();
  const auto reader = make_file_reader(files.open(kPath), kPath);
  reader->verify();
  EXPECT_EQ(reader->find("none")->shape, (Shape{4, 0}));
  EXPECT_EQ(reader->read_text("text"), "");
  EXPECT_EQ(reader->find("other"), nullptr);
  EXPECT_EQ(error_of([&] { (void)reader->read_text("other"); }).code(), ErrorCode::kNotFound);
}

/// A file whose checksums are right and whose index says whatever a test wants it to.
Error open_with(std::vector<IndexEntry> entries, std::size_t data_bytes) {
  SimFileSystem files;
  const std::string header = encode_header();
  const std::string index = encode_index(entries);
  files.create(kPath);
  files.bytes(kPath) = header + std::string(data_bytes, '\0') + index +
                       encode_footer(header, index, header.size() + data_bytes);
  return error_of([&] { make_file_reader(files.open(kPath), kPath); });
}

TEST(FileFormat, AnIndexThatCannotBeTrueIsRefused) {
  const auto entry = [](Shape shape, Slice slice, DType dtype = DType::kFloat32) {
    return IndexEntry{.info = {"w", dtype, std::move(shape)}, .slice = slice, .checksums = {0}};
  };
  EXPECT_EQ(open_with({entry({2}, {0, 2})}, 8).code(), ErrorCode::kInternal) << "this one is right";
  const std::vector<std::pair<const char*, std::vector<IndexEntry>>> wrong{
      {"is longer than the file", {entry({3}, {0, 3})}},
      {"belong to no tensor", {entry({1}, {0, 1})}},
      {"elements outside of its shape", {entry({2}, {1, 2})}},
      {"elements outside of its shape", {entry({2}, {3, UINT64_MAX})}},
      {"impossible shape", {entry({-1}, {0, 2})}},
      {"impossible shape", {entry({INT64_MAX, INT64_MAX}, {0, 2})}},
      {"unknown dtype", {entry({2}, {0, 2}, static_cast<DType>(9))}},
      {"text in pieces", {entry({}, {4, 4}, DType::kText)}},
      {"slices are missing", {entry({4}, {2, 2})}},
      {"slices are missing", {entry({4}, {0, 2})}},
      {"or overlap", {entry({2}, {0, 1}), entry({2}, {0, 1})}},
      {"or overlap", {entry({1}, {0, 1}), entry({2}, {1, 1})}},
  };
  for (const auto& [says, entries] : wrong) {
    const Error error = open_with(entries, 8);
    EXPECT_EQ(error.code(), ErrorCode::kDataLoss) << says;
    EXPECT_TRUE(contains(error, says)) << says << " in: " << error.what();
  }
}

TEST(FileFormat, AWriterRefusesWhatAReaderWould) {
  SimFileSystem files;
  const auto writer = make_file_writer(files, kPath);
  write_integer(*writer, "a", 1);
  EXPECT_TRUE(contains(error_of([&] { write_integer(*writer, "a", 2); }), "stored twice"));
  EXPECT_EQ(error_of([&] { write_integer(*writer, "", 2); }).code(), ErrorCode::kInvalidArgument);
  writer->add({"b", DType::kInt32, {2}}, {0, 2});
  EXPECT_EQ(error_of([&] { writer->append(bytes_of(std::vector<std::int32_t>(3))); }).code(),
            ErrorCode::kInternal);
  writer->append(bytes_of(std::vector<std::int32_t>(1)));
  EXPECT_TRUE(contains(error_of([&] { writer->finish(); }), "\"b\" got 4 of 8 bytes"));
}

}  // namespace
}  // namespace dtrain::inline v0::checkpoint
