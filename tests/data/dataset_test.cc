#include "dtrain/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "data/data_testing.h"

namespace dtrain::inline v0 {
namespace {

using data::expect_error;

const std::string kExamples = DTRAIN_EXAMPLE_DATA;

void expect_invalid(const std::function<void()>& action,
                    std::initializer_list<std::string_view> texts) {
  expect_error(action, ErrorCode::kInvalidArgument, texts);
}

TEST(Dataset, FromMemoryCopiesWhatItIsGiven) {
  std::vector<float> features = {1, 2, 3, 4, 5, 6};
  std::vector<std::int32_t> labels = {0, 7};
  const Dataset dataset = Dataset::from_memory(features, {3, 1}, labels);
  features.assign(6, 0.0F);
  labels.assign(2, 0);
  EXPECT_EQ(dataset.size(), 2U);
  EXPECT_EQ(dataset.feature_shape(), (Shape{3, 1}));
  EXPECT_EQ(dataset.label_kind(), LabelKind::kClassId);
  EXPECT_TRUE(dataset.target_shape().empty());
  EXPECT_TRUE(
      std::ranges::equal(dataset.features(), std::array{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F}));
  EXPECT_TRUE(std::ranges::equal(dataset.labels(), std::array{0, 7}));
  EXPECT_TRUE(dataset.targets().empty());
}

TEST(Dataset, FromMemoryTakesTargetsOfAShape) {
  const std::vector<float> features = {1, 2};
  const std::vector<float> targets = {1, 2, 3, 4};
  const Dataset dataset = Dataset::from_memory(features, {1}, targets, {2});
  EXPECT_EQ(dataset.label_kind(), LabelKind::kValue);
  EXPECT_EQ(dataset.target_shape(), (Shape{2}));
  EXPECT_TRUE(std::ranges::equal(dataset.targets(), targets));
  EXPECT_EQ(Dataset::from_memory(features, {1}, features).target_shape(), (Shape{1}));
}

TEST(Dataset, FromMemoryNeedsNoLabels) {
  const std::vector<float> features = {1, 2};
  const Dataset dataset = Dataset::from_memory(features, {2});
  EXPECT_EQ(dataset.size(), 1U);
  EXPECT_EQ(dataset.label_kind(), LabelKind::kNone);
  EXPECT_TRUE(dataset.labels().empty());
}

TEST(Dataset, FromMemoryTakesIntegersInPlaceOfFloats) {
  const std::vector<std::int64_t> ids{1, 2, 3, 4};
  const Dataset data = Dataset::from_memory(ids, {2}, std::vector<std::int32_t>{0, 1});
  EXPECT_EQ(data.size(), 2U);
  EXPECT_TRUE(data.features().empty());
  EXPECT_TRUE(std::ranges::equal(data.integer_features(), ids));
  EXPECT_EQ(Dataset::from_memory(ids, {4}).label_kind(), LabelKind::kNone);
  expect_invalid([&] { Dataset::from_memory(ids, {3}); }, {"4 features are no whole number"});
}

TEST(Dataset, CopiesShareTheMemoryAndKeepItAlive) {
  std::optional<Dataset> first = Dataset::from_memory(std::vector<float>{1, 2}, {2});
  const Dataset second = *first;
  EXPECT_EQ(first->features().data(), second.features().data());
  first.reset();
  EXPECT_EQ(second.features()[1], 2.0F);
}

TEST(Dataset, FromMemoryChecksLengthsAndShapes) {
  const std::vector<float> five(5);
  const std::vector<float> six(6);
  const std::vector<std::int32_t> two(2);
  expect_invalid([&] { Dataset::from_memory(five, {3}); }, {"5 features", "shape (3,)"});
  expect_invalid([&] { Dataset::from_memory(std::vector<float>{}, {3}); }, {"no example"});
  expect_invalid([&] { Dataset::from_memory(six, {}); }, {"feature_shape is empty"});
  expect_invalid([&] { Dataset::from_memory(six, {0, 3}); }, {"0"});
  expect_invalid([&] { Dataset::from_memory(six, {2}, two); }, {"2 labels for 3 examples"});
  expect_invalid([&] { Dataset::from_memory(six, {2}, five); }, {"5 targets for 3 examples"});
  expect_invalid([&] { Dataset::from_memory(six, {2}, five, {2}); }, {"5 targets", "Give 2"});
  expect_invalid([&] { Dataset::from_memory(six, {2}, six, {}); }, {"target_shape is empty"});
}

TEST(Dataset, FromMemoryChecksValues) {
  const std::vector<float> fine(4);
  const std::vector<float> wrong = {0, 0, 0, NAN};
  const std::vector<std::int32_t> negative = {0, -3};
  expect_invalid([&] { Dataset::from_memory(wrong, {2}); }, {"feature 1 of example 1 is nan"});
  expect_invalid([&] { Dataset::from_memory(fine, {2}, wrong, {2}); },
                 {"target 1 of example 1 is nan"});
  expect_invalid([&] { Dataset::from_memory(fine, {2}, negative); },
                 {"the label of example 1 is -3"});
}

TEST(Dataset, FromCsvReadsTheDigits) {
  const Dataset train = Dataset::from_csv(kExamples + "/digits-train.csv.gz", {.scale = 1.0F / 16});
  EXPECT_EQ(train.size(), 1437U);
  EXPECT_EQ(train.feature_shape(), (Shape{64}));
  EXPECT_EQ(train.features().size(), 1437U * 64U);
  const auto [low, high] = std::minmax_element(train.features().begin(), train.features().end());
  EXPECT_EQ(*low, 0.0F);
  EXPECT_EQ(*high, 1.0F);
  EXPECT_EQ(train.features()[3], 10.0F / 16);  // The first line is 0,0,0,10,13,1,...
  EXPECT_EQ(train.labels().front(), 6);
  std::array<int, 10> counts{};
  for (const std::int32_t label : train.labels()) ++counts.at(static_cast<std::size_t>(label));
  for (const int count : counts) EXPECT_GT(count, 100);
}

TEST(Dataset, FromCsvReadsNumericColumnsAmongTextualOnes) {
  const Dataset adult =
      Dataset::from_csv(kExamples + "/adult-test.csv.gz",
                        {.label = "hours_per_week", .columns = {"educational_num", "age"}});
  EXPECT_EQ(adult.size(), 9769U);
  EXPECT_EQ(adult.features()[0], 9.0F);
  EXPECT_EQ(adult.features()[1], 41.0F);
  EXPECT_EQ(adult.labels()[1], 40);
}

TEST(Dataset, FromCsvExplainsATextualColumn) {
  expect_invalid(
      [] { Dataset::from_csv(kExamples + "/adult-test.csv.gz", {.label = "age"}); },
      {"adult-test.csv.gz line 2", "column \"workclass\"", "\"Private\"", "CsvOptions::columns"});
}

TEST(Dataset, FromCsvReadsFilesLargerThanItsBuffer) {
  const data::TemporaryFolder folder;
  std::string text = "a,b,label\n";
  constexpr int kRows = 100000;
  for (int i = 0; i < kRows; ++i) {
    text += std::to_string(i) + ",0.5," + std::to_string(i % 10) + "\n";
  }
  const Dataset dataset = Dataset::from_csv(folder.write("large.csv", text));
  ASSERT_EQ(dataset.size(), static_cast<std::size_t>(kRows));
  for (std::size_t i = 0; i < kRows; ++i) {
    ASSERT_EQ(dataset.features()[2 * i], static_cast<float>(i));
    ASSERT_EQ(dataset.labels()[i], static_cast<std::int32_t>(i % 10));
  }
}

TEST(Dataset, FromCsvNamesAMissingFile) {
  expect_error([] { Dataset::from_csv("no-such-file.csv"); }, ErrorCode::kNotFound,
               {"no-such-file.csv"});
}

TEST(Dataset, FromCsvNamesATruncatedFile) {
  const data::TemporaryFolder folder;
  std::string text = "a,label\n";
  for (int i = 0; i < 1000; ++i) text += std::to_string(i * 7919 % 1000) + ",1\n";
  const std::string packed = data::gzip(text);
  const std::string path = folder.write("cut.csv.gz", packed.substr(0, packed.size() / 2));
  expect_error([&] { Dataset::from_csv(path); }, ErrorCode::kDataLoss, {path, "gzip"});
}

}  // namespace
}  // namespace dtrain::inline v0
