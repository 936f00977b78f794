#include "dtrain/npy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "data/data_testing.h"
#include "data/npy_format.h"
#include "dtrain/dataset.h"

namespace dtrain::inline v0 {
namespace {

using data::expect_error;
using data::TemporaryFolder;
using data::texts;
using data::values;

/// A file of version 1.0 with this header and these elements.
template <typename T>
std::string npy(const std::string& header, const std::vector<T>& elements) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(T));
  return bytes;
}

std::string header(const std::string& type, const std::string& shape) {
  return "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }   \n";
}

Column read(const std::string& bytes, const NpyOptions& options = {}) {
  const TemporaryFolder folder;
  return read_npy(folder.write("x.npy", bytes), options);
}

void expect_invalid(const std::string& bytes, std::initializer_list<std::string_view> texts,
                    const NpyOptions& options = {}) {
  expect_error([&] { read(bytes, options); }, ErrorCode::kInvalidArgument, texts);
}

TEST(ReadNpy, ReadsEachTypeOfNumber) {
  const Column floats = read(npy<float>(header("<f4", "(3, 2)"), {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(floats.name, "x");
  EXPECT_EQ(floats.shape, (Shape{2}));
  EXPECT_EQ(values<float>(floats), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(values<float>(read(npy<double>(header("<f8", "(2,)"), {0.1, 2}))),
            (std::vector<float>{0.1F, 2}));
  const std::vector<std::int64_t> expected{-1, 2};
  EXPECT_EQ(values<std::int64_t>(read(npy<std::int8_t>(header("|i1", "(2,)"), {-1, 2}))), expected);
  EXPECT_EQ(values<std::int64_t>(read(npy<std::int16_t>(header("<i2", "(2,)"), {-1, 2}))),
            expected);
  EXPECT_EQ(values<std::int64_t>(read(npy<std::int32_t>(header("<i4", "(2,)"), {-1, 2}))),
            expected);
  EXPECT_EQ(values<std::int64_t>(read(npy<std::int64_t>(header("<i8", "(2,)"), {-1, 2}))),
            expected);
  EXPECT_EQ(values<std::int64_t>(read(npy<std::uint8_t>(header("|u1", "(1,)"), {255}))).front(),
            255);
  EXPECT_EQ(values<std::int64_t>(read(npy<std::uint32_t>(header("<u4", "(1,)"), {~0U}))).front(),
            4294967295);
  EXPECT_EQ(values<std::int64_t>(read(npy<std::uint8_t>(header("|b1", "(2,)"), {0, 1}))),
            (std::vector<std::int64_t>{0, 1}));
}

TEST(ReadNpy, OneNumberForEachExampleHasTheShapeOne) {
  EXPECT_EQ(read(npy<float>(header("<f4", "(3,)"), {1, 2, 3})).shape, (Shape{1}));
  EXPECT_EQ(read(npy<float>(header("<f4", "(1, 2, 1)"), {1, 2})).shape, (Shape{2, 1}));
}

TEST(ReadNpy, ReadsBytesAndTextAsStrings) {
  EXPECT_EQ(texts(read(npy<char>(header("|S3", "(2,)"), {'a', 'b', 'c', 'd', '\0', '\0'}))),
            (std::vector<std::string>{"abc", "d"}));
  const std::vector<std::uint32_t> points{'a', 0xe9, 0, 0x20ac, 0x1f600, 0};
  EXPECT_EQ(texts(read(npy(header("<U3", "(2,)"), points))),
            (std::vector<std::string>{"a\xc3\xa9", "\xe2\x82\xac\xf0\x9f\x98\x80"}));
  expect_invalid(npy<std::uint32_t>(header("<U1", "(1,)"), {0xd800}), {"55296", "Unicode"});
}

TEST(ReadNpy, ConvertsIntegersAsAsked) {
  const std::string bytes = npy<std::uint8_t>(header("|u1", "(1, 2)"), {3, 255});
  EXPECT_EQ(values<float>(read(bytes, {.dtype = DType::kFloat32})), (std::vector<float>{3, 255}));
  EXPECT_EQ(values<std::int32_t>(read(bytes, {.dtype = DType::kInt32})),
            (std::vector<std::int32_t>{3, 255}));
  expect_invalid(npy<std::int64_t>(header("<i8", "(1, 2)"), {1, 1LL << 31}),
                 {"x.npy: element 1 is 2147483648", "int32"}, {.dtype = DType::kInt32});
  expect_invalid(npy<float>(header("<f4", "(1,)"), {1}), {"holds floats", "int64"},
                 {.dtype = DType::kInt64});
  expect_invalid(bytes, {"string"}, {.dtype = DType::kString});
}

TEST(ReadNpy, ReadsTheLaterVersionsOfTheFormat) {
  std::string bytes = npy<float>(header("<f4", "(1,)"), {1});
  for (const char version : {2, 3}) {
    std::string later = bytes;
    later[6] = version;
    later.insert(10, 2, '\0');
    EXPECT_EQ(values<float>(read(later)), (std::vector<float>{1})) << int{version};
  }
  bytes[6] = 4;
  expect_invalid(bytes, {"version 4"});
}

TEST(ReadNpy, RefusesWhatItDoesNotRead) {
  expect_invalid("age,income\n", {"x.npy is no NumPy array"});
  expect_invalid(npy<float>(header(">f4", "(1,)"), {1}), {"\">f4\"", "not little-endian"});
  expect_invalid(npy<double>(header("<c8", "(1,)"), {1}), {"\"<c8\"", "not read"});
  expect_invalid(npy<float>(header("|O", "(1,)"), {1}), {"\"|O\""});
  expect_invalid(npy<float>(header("<u8", "(1,)"), {1}), {"\"<u8\""});
  expect_invalid(npy<float>(header("<f4", "()"), {1}), {"one value and no array"});
  expect_invalid(npy<float>(header("<f4", "(2, 0)"), {}), {"no elements"});
  expect_invalid(npy<float>("{'descr': [('a', '<f4')], 'shape': (1,)}", {}), {"structured"});
  expect_invalid(npy<float>("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", {}),
                 {"Fortran order", "ascontiguousarray"});
  for (const char* text :
       {"", "{", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", "['descr']",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}"}) {
    expect_invalid(npy<float>(text, {1}), {"x.npy has a header that cannot be read"});
  }
}

TEST(ReadNpy, AFileThatIsCutOffOrTooLongIsDamaged) {
  const std::string bytes = npy<float>(header("<f4", "(2, 3)"), {1, 2, 3, 4, 5, 6});
  for (std::size_t cut = 9; cut < bytes.size(); ++cut) {
    expect_error([&] { read(bytes.substr(0, cut)); }, ErrorCode::kDataLoss, {"x.npy is cut off"});
  }
  expect_error([&] { read(bytes + "x"); }, ErrorCode::kDataLoss, {"goes on after", "(2, 3)"});
}

TEST(ReadNpy, MemoryHasALimit) {
  const std::string bytes = npy<float>(header("<f4", "(2, 3)"), {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(values<float>(read(bytes, {.memory_bytes_max = 24})).size(), 6U);
  expect_error([&] { read(bytes, {.memory_bytes_max = 23}); }, ErrorCode::kResourceExhausted,
               {"(2, 3)", "23 bytes", "memory_bytes_max"});
  const std::string huge = npy<float>(
      header("<f4", "(9223372036854775807, 9223372036854775807, 9223372036854775807)"), {});
  expect_error([&] { read(huge); }, ErrorCode::kResourceExhausted, {"memory_bytes_max"});
}

const std::string kGolden = DTRAIN_GOLDEN;

TEST(ReadNpy, ReadsWhatNumPyWrote) {
  const Column column = read_npy(kGolden + "/numpy.npy");
  EXPECT_EQ(column.name, "numpy");
  EXPECT_EQ(column.shape, (Shape{2}));
  EXPECT_EQ(values<float>(column), (std::vector<float>{0, 0.25F, 0.5F, 0.75F, 1, 1.25F}));
  expect_error([] { read_npy(kGolden + "/fortran.npy"); }, ErrorCode::kInvalidArgument,
               {"fortran.npy is in Fortran order"});
}

TEST(ReadNpz, ReadsWhatNumPyWrotePackedOrNot) {
  for (const char* file : {"/numpy.npz", "/numpy_packed.npz"}) {
    const std::vector<Column> columns = read_npz(kGolden + file);
    ASSERT_EQ(columns.size(), 7U);
    EXPECT_EQ(columns[0].name, "float32");
    EXPECT_EQ(values<float>(columns[0]), (std::vector<float>{0, 0.25F, 0.5F, 0.75F, 1, 1.25F}));
    EXPECT_EQ(values<float>(columns[1]),
              (std::vector<float>{0.5F, -std::numeric_limits<float>::infinity(), 3}));
    EXPECT_EQ(values<std::int64_t>(columns[2]),
              (std::vector<std::int64_t>{-(std::int64_t{1} << 62), 0, 5}));
    EXPECT_EQ(columns[3].shape, (Shape{2, 2}));
    EXPECT_EQ(values<std::int64_t>(columns[3]).back(), 11);
    EXPECT_EQ(values<std::int64_t>(columns[4]), (std::vector<std::int64_t>{1, 0, 1}));
    EXPECT_EQ(texts(columns[5]),
              (std::vector<std::string>{"K\xc3\xb6ln", "", "a\xf0\x9f\x98\x80"}));
    EXPECT_EQ(texts(columns[6]), (std::vector<std::string>{"ab", "", "c"}));
  }
}

TEST(ReadNpz, ReadsTheArraysThatAreNamed) {
  const std::string path = kGolden + "/numpy_packed.npz";
  const std::vector<Column> columns = read_npz(path, {"uint8", "bool"}, {.dtype = DType::kFloat32});
  ASSERT_EQ(columns.size(), 2U);
  EXPECT_EQ(values<float>(columns[1]), (std::vector<float>{1, 0, 1}));
  expect_error(
      [&] {
        read_npz(path, {"uint8", "uint9"});
      },
      ErrorCode::kNotFound, {path, "no array \"uint9\"", "float32, float64, int64"});
}

TEST(ReadNpz, SaysWhatIsWrongWithAnArchive) {
  const TemporaryFolder folder;
  std::ifstream file(kGolden + "/numpy_packed.npz", std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(file), {}};
  const auto read_bytes = [&](const std::string& bytes) { read_npz(folder.write("x.npz", bytes)); };
  read_bytes(good);
  expect_error([&] { read_npz(folder.path() + "/none.npz"); }, ErrorCode::kNotFound, {"none.npz"});
  expect_error([&] { read_bytes("not an archive"); }, ErrorCode::kInvalidArgument,
               {"x.npz is no ZIP archive"});
  expect_error([&] { read_bytes(good.substr(0, good.size() - 30)); }, ErrorCode::kInvalidArgument,
               {"x.npz is no ZIP archive", "cut off"});
  expect_error([&] { read_bytes(good.substr(100)); }, ErrorCode::kDataLoss, {"x.npz is damaged"});
  std::string damaged = good;
  for (std::size_t i = 60; i < 90; ++i) damaged[i] = '\xff';
  expect_error([&] { read_bytes(damaged); }, ErrorCode::kDataLoss, {"x.npz is damaged"});
}

TEST(WriteNpy, WhatIsWrittenIsRead) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/column.npy";
  const auto round_trip = [&](const Column& column) {
    write_npy(path, column);
    return read_npy(path, {.dtype = column.dtype()});
  };
  const Column floats = round_trip({"a", std::vector<float>{1, 2, 3, 4}, {2, 1}});
  EXPECT_EQ(floats.name, "column");
  EXPECT_EQ(floats.shape, (Shape{2, 1}));
  EXPECT_EQ(values<float>(floats), (std::vector<float>{1, 2, 3, 4}));
  const std::vector<std::int64_t> ids{std::numeric_limits<std::int64_t>::min(), 5};
  EXPECT_EQ(values<std::int64_t>(round_trip({"a", ids})), ids);
  EXPECT_EQ(values<std::int32_t>(round_trip({"a", std::vector<std::int32_t>{7}, {}})),
            (std::vector<std::int32_t>{7}));
  EXPECT_EQ(texts(round_trip({"a", Strings{"Bonn", "", "a longer one"}})),
            (std::vector<std::string>{"Bonn", "", "a longer one"}));
  EXPECT_TRUE(values<float>(round_trip({"a", std::vector<float>{}, {3}})).empty());
}

TEST(WriteNpy, WritesAsNumPyDoes) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/a.npy";
  write_npy(path, {"a", std::vector<float>{1, 2}});
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(bytes.size(), 128U + 8U);
  EXPECT_EQ(bytes.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_TRUE(
      bytes.substr(10).starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), } "));
  EXPECT_EQ(bytes[127], '\n');
}

TEST(WriteNpy, SaysWhatIsWrong) {
  expect_error(
      [] {
        write_npy("x.npy", {"a", std::vector<float>{1, 2, 3}, {2}});
      },
      ErrorCode::kInvalidArgument, {"\"a\" has 3 elements, and an example 2"});
  expect_error(
      [] {
        write_npy("no-such-folder/x.npy", {"a", std::vector<float>{1}});
      },
      ErrorCode::kUnavailable, {"no-such-folder/x.npy", "No such file"});
}

}  // namespace
}  // namespace dtrain::inline v0
