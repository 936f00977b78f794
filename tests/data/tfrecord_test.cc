#include "dtrain/tfrecord.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "data/data_testing.h"
#include "data/example.pb.h"
#include "data/record_reader.h"
#include "dtrain/dataset.h"

namespace dtrain::inline v0 {
namespace {

using data::expect_error;
using data::TemporaryFolder;

std::string framed(std::string_view record) {
  std::string bytes;
  data::append_record(record, bytes);
  return bytes;
}

void expect_invalid(const std::function<void()>& action,
                    std::initializer_list<std::string_view> texts) {
  expect_error(action, ErrorCode::kInvalidArgument, texts);
}

Examples people() {
  return {.features = {{"age", std::vector<float>{20.5F, 30.0F}},
                       {"city", Strings{"Bonn", std::string_view("a\0b", 3)}},
                       {"ids", std::vector<std::int64_t>{1, -2, std::int64_t{1} << 60, 4}, {2}}},
          .targets = {{"class", std::vector<std::int32_t>{0, 7}, {}},
                      {"income", std::vector<float>{1, 2, 3, 4}, {2}}},
          .weights = {0.5F, 2.0F}};
}

TfRecordOptions options() {
  return {.features = {{"age"}, {"city", DType::kString}, {"ids", DType::kInt64, {2}}},
          .targets = {{"class", DType::kInt32}, {"income", DType::kFloat32, {2}}},
          .weight = "weight"};
}

void expect_people(const Dataset& data) {
  ASSERT_EQ(data.size(), 2U);
  EXPECT_TRUE(std::ranges::equal(data.feature<float>("age"), std::array{20.5F, 30.0F}));
  EXPECT_EQ(data.feature<std::string_view>("city")[1], std::string_view("a\0b", 3));
  EXPECT_TRUE(std::ranges::equal(data.feature<std::int64_t>("ids"),
                                 std::array<std::int64_t, 4>{1, -2, std::int64_t{1} << 60, 4}));
  EXPECT_EQ(data.targets()[0], (FeatureInfo{"class", DType::kInt32, {}}));
  EXPECT_EQ(data.target<std::int32_t>("class")[1], 7);
  EXPECT_EQ(data.target<float>("income")[3], 4.0F);
  EXPECT_EQ(data.weights()[0], 0.5F);
}

TEST(TfRecord, WhatIsWrittenIsRead) {
  const TemporaryFolder folder;
  for (const bool gzip : {false, true}) {
    const std::string path = folder.path() + "/people.tfrecord";
    TfRecordWriter writer(path, {.gzip = gzip});
    writer.write(people());
    writer.close();
    char first = 0;
    std::ifstream(path, std::ios::binary).get(first);
    EXPECT_EQ(first == '\x1f', gzip);
    expect_people(Dataset::from_tfrecord(path, options()));
  }
}

TEST(TfRecord, TheWriterTakesADataSetsOwnExamples) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/people.tfrecord";
  {
    TfRecordWriter writer(path);
    const Dataset data = Dataset::from_columns(people());
    writer.write(data.slice(0, 1));
    writer.write(data.slice(1, 1));
  }
  expect_people(Dataset::from_tfrecord(path, options()));
}

TEST(TfRecord, TheWriterRefusesWhatCannotBe) {
  const TemporaryFolder folder;
  TfRecordWriter writer(folder.path() + "/x.tfrecord", {.weight = "age"});
  expect_invalid([&] { writer.write(people()); }, {"are called \"age\"", "Rename"});
  writer.close();
  expect_error([&] { writer.write(people()); }, ErrorCode::kFailedPrecondition, {"is closed"});
  expect_error([&] { TfRecordWriter(folder.path() + "/no/x.tfrecord"); }, ErrorCode::kUnavailable,
               {"cannot open", "/no/x.tfrecord", "No such file"});
}

TEST(TfRecord, ReadsWhatTensorFlowWrote) {
  for (const char* file : {"/tensorflow.tfrecord", "/tensorflow.tfrecord.gz"}) {
    const Dataset data = Dataset::from_tfrecord(
        std::string(DTRAIN_GOLDEN) + file,
        {.features = {{"age"}, {"city", DType::kString}, {"ids", DType::kInt64, {2}}},
         .targets = {{"class", DType::kInt32}}});
    ASSERT_EQ(data.size(), 3U);
    EXPECT_TRUE(std::ranges::equal(data.feature<float>("age"), std::array{0.5F, 1.5F, 2.5F}));
    EXPECT_EQ(data.feature<std::string_view>("city")[0], "K\xc3\xb6ln");
    EXPECT_TRUE(std::ranges::equal(
        data.feature<std::int64_t>("ids"),
        std::array<std::int64_t, 6>{0, 0, -1, std::int64_t{1} << 40, -2, std::int64_t{2} << 40}));
    EXPECT_TRUE(std::ranges::equal(data.target<std::int32_t>("class"), std::array{0, 1, 2}));
  }
}

/// A file with these messages.
std::string file_of(const TemporaryFolder& folder,
                    const std::vector<dtrain_pb::data::Example>& messages) {
  std::string bytes;
  for (const auto& message : messages) bytes += framed(message.SerializeAsString());
  return folder.write("x.tfrecord", bytes);
}

dtrain_pb::data::Feature& add(dtrain_pb::data::Example& message, const std::string& name) {
  auto& entry = *message.mutable_features()->add_feature();
  entry.set_key(name);
  return *entry.mutable_value();
}

TEST(TfRecord, FeaturesMayComeInAnyOrderWithOthers) {
  const TemporaryFolder folder;
  std::vector<dtrain_pb::data::Example> messages(3);
  for (int i = 0; i < 3; ++i) {
    const auto number = static_cast<float>(i);
    if (i == 1) add(messages[1], "b").mutable_float_list()->add_value(10.0F + number);
    add(messages[static_cast<std::size_t>(i)], "a").mutable_float_list()->add_value(number);
    add(messages[static_cast<std::size_t>(i)], "other").mutable_int64_list();
    if (i != 1) {
      add(messages[static_cast<std::size_t>(i)], "b")
          .mutable_float_list()
          ->add_value(10.0F + number);
    }
  }
  const Dataset data =
      Dataset::from_tfrecord(file_of(folder, messages), {.features = {{"b"}, {"a"}}});
  EXPECT_TRUE(std::ranges::equal(data.feature<float>("a"), std::array{0.0F, 1.0F, 2.0F}));
  EXPECT_TRUE(std::ranges::equal(data.feature<float>("b"), std::array{10.0F, 11.0F, 12.0F}));
}

TEST(TfRecord, AnExampleThatLacksAFeatureHasWhatMissingSays) {
  const TemporaryFolder folder;
  std::vector<dtrain_pb::data::Example> messages(1);
  add(messages[0], "a").mutable_float_list()->add_value(1.0F);
  add(messages[0], "empty");  // A feature of no kind counts as none.
  const std::string path = file_of(folder, messages);
  const Dataset data =
      Dataset::from_tfrecord(path, {.features = {{"a"},
                                                 {"empty", DType::kInt64, {2}, "-1"},
                                                 {"s", DType::kString, {1}, ""},
                                                 {"f", DType::kFloat32, {1}, "0.5"}},
                                    .targets = {{"t", DType::kInt32, {}, "3"}}});
  EXPECT_TRUE(
      std::ranges::equal(data.feature<std::int64_t>("empty"), std::array<std::int64_t, 2>{-1, -1}));
  EXPECT_EQ(data.feature<std::string_view>("s")[0], "");
  EXPECT_EQ(data.feature<float>("f")[0], 0.5F);
  EXPECT_EQ(data.target<std::int32_t>("t")[0], 3);
  expect_invalid([&] { Dataset::from_tfrecord(path, {.features = {{"agee"}}}); },
                 {path, "record 0 (at byte 0), feature \"agee\": the example has none"});
}

TEST(TfRecord, WhatDoesNotFitNamesFileRecordPlaceAndFeature) {
  const TemporaryFolder folder;
  std::vector<dtrain_pb::data::Example> messages(2);
  add(messages[0], "a").mutable_float_list()->add_value(1.0F);
  add(messages[1], "a").mutable_int64_list()->add_value(-1);
  const std::string path = file_of(folder, messages);
  const std::string place = path + " record 1 (at byte " +
                            std::to_string(framed(messages[0].SerializeAsString()).size()) +
                            "), feature \"a\": ";
  expect_invalid([&] { Dataset::from_tfrecord(path, {.features = {{"a"}}}); },
                 {place, "is an int64_list, but float32 takes a float_list"});

  const auto expect_last = [&](const TfRecordOptions& wanted,
                               std::initializer_list<std::string_view> texts) {
    const std::string last = file_of(folder, {messages[1]});
    expect_invalid([&] { Dataset::from_tfrecord(last, wanted); }, texts);
  };
  expect_last({.features = {{"a", DType::kInt64, {2, 2}}}},
              {"has 1 values, but the shape (2, 2) takes 4"});
  expect_last({.features = {{"b", DType::kInt64, {1}, "0"}}, .targets = {{"a", DType::kInt32}}},
              {"the class -1 is not between 0 and 2147483647"});
  messages[1].Clear();
  add(messages[1], "a").mutable_float_list()->add_value(NAN);
  expect_last({.features = {{"a"}}}, {"\"a\": it is nan"});
  expect_last({.features = {{"b", DType::kInt64, {1}, "0"}}, .weight = "a"},
              {"there is no weight"});
  const std::string last = file_of(folder, {messages[1]});
  EXPECT_TRUE(
      std::isnan(Dataset::from_tfrecord(last, {.features = {{"a"}}, .allow_non_finite = true})
                     .feature<float>("a")[0]));
}

TEST(TfRecord, WhatIsNoExampleSaysSo) {
  const TemporaryFolder folder;
  expect_invalid(
      [&] {
        Dataset::from_tfrecord(folder.write("x", framed("not a message")), {.features = {{"a"}}});
      },
      {"record 0 (at byte 0) holds no tf.Example"});
  expect_invalid([&] { Dataset::from_tfrecord(folder.write("x", ""), {.features = {{"a"}}}); },
                 {"has no record"});
  expect_error([] { Dataset::from_tfrecord("no-such-file", {.features = {{"a"}}}); },
               ErrorCode::kNotFound, {"no-such-file"});
}

TEST(TfRecord, MemoryHasALimit) {
  const TemporaryFolder folder;
  std::vector<dtrain_pb::data::Example> messages(10);
  for (auto& message : messages) add(message, "a").mutable_float_list()->add_value(1.0F);
  const std::string path = file_of(folder, messages);
  EXPECT_EQ(Dataset::from_tfrecord(path, {.features = {{"a"}}, .memory_bytes_max = 40}).size(),
            10U);
  expect_error([&] { Dataset::from_tfrecord(path, {.features = {{"a"}}, .memory_bytes_max = 39}); },
               ErrorCode::kResourceExhausted, {path, "39 bytes", "memory_bytes_max"});
}

TEST(TfRecord, WrongOptionsAreReportedBeforeTheFileIsOpened) {
  const auto expect = [](const TfRecordOptions& wrong,
                         std::initializer_list<std::string_view> texts) {
    expect_invalid([&] { Dataset::from_tfrecord("no-such-file", wrong); }, texts);
  };
  expect({}, {"TfRecordOptions::features is empty"});
  expect({.features = {{""}}}, {"no name"});
  expect({.features = {{"a"}}, .targets = {{"a"}}}, {"lists \"a\" twice"});
  expect({.features = {{"a", DType::kInt32}}}, {"\"a\" is int32", "kInt64"});
  expect({.features = {{"a"}}, .targets = {{"b", DType::kInt64}}}, {"\"b\" is int64", "kInt32"});
  expect({.features = {{"a", DType::kInt64, {1}, "x"}}}, {"missing is \"x\""});
  expect({.features = {{"a"}}, .targets = {{"b", DType::kInt32, {}, "-1"}}}, {"missing is \"-1\""});
}

}  // namespace
}  // namespace dtrain::inline v0
