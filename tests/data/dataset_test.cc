#include "dtrain/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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
  EXPECT_EQ(dataset.features(), (std::vector<FeatureInfo>{{"features", DType::kFloat32, {3, 1}}}));
  EXPECT_EQ(dataset.targets(), (std::vector<FeatureInfo>{{"targets", DType::kInt32, {}}}));
  EXPECT_TRUE(std::ranges::equal(dataset.feature<float>("features"),
                                 std::array{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F}));
  EXPECT_TRUE(std::ranges::equal(dataset.target<std::int32_t>("targets"), std::array{0, 7}));
  EXPECT_TRUE(dataset.weights().empty());
}

TEST(Dataset, FromMemoryTakesTargetsOfAShape) {
  const std::vector<float> features = {1, 2};
  const std::vector<float> targets = {1, 2, 3, 4};
  const Dataset dataset = Dataset::from_memory(features, {1}, targets, {2});
  EXPECT_EQ(dataset.targets(), (std::vector<FeatureInfo>{{"targets", DType::kFloat32, {2}}}));
  EXPECT_TRUE(std::ranges::equal(dataset.target<float>("targets"), targets));
  EXPECT_EQ(Dataset::from_memory(features, {1}, features).targets()[0].shape, (Shape{1}));
}

TEST(Dataset, FromMemoryNeedsNoLabels) {
  const std::vector<float> features = {1, 2};
  const Dataset dataset = Dataset::from_memory(features, {2});
  EXPECT_EQ(dataset.size(), 1U);
  EXPECT_TRUE(dataset.targets().empty());
}

TEST(Dataset, FromMemoryTakesIntegersInPlaceOfFloats) {
  const std::vector<std::int64_t> ids{1, 2, 3, 4};
  const Dataset data = Dataset::from_memory(ids, {2}, std::vector<std::int32_t>{0, 1});
  EXPECT_EQ(data.size(), 2U);
  EXPECT_EQ(data.features()[0].dtype, DType::kInt64);
  EXPECT_TRUE(std::ranges::equal(data.feature<std::int64_t>("features"), ids));
  EXPECT_TRUE(Dataset::from_memory(ids, {4}).targets().empty());
  expect_invalid([&] { Dataset::from_memory(ids, {3}); },
                 {"\"features\" has 4 elements, no whole number of examples of shape (3,)"});
}

TEST(Dataset, CopiesShareTheMemoryAndKeepItAlive) {
  std::optional<Dataset> first = Dataset::from_memory(std::vector<float>{1, 2}, {2});
  const Dataset second = *first;
  EXPECT_EQ(first->feature<float>("features").data(), second.feature<float>("features").data());
  first.reset();
  EXPECT_EQ(second.feature<float>("features")[1], 2.0F);
}

TEST(Dataset, FromMemoryChecksLengthsAndShapes) {
  const std::vector<float> five(5);
  const std::vector<float> six(6);
  const std::vector<std::int32_t> two(2);
  expect_invalid([&] { Dataset::from_memory(five, {3}); }, {"5 elements", "shape (3,)"});
  expect_invalid([&] { Dataset::from_memory(std::vector<float>{}, {3}); }, {"no example"});
  expect_invalid([&] { Dataset::from_memory(six, {}); }, {"feature_shape is empty"});
  expect_invalid([&] { Dataset::from_memory(six, {0, 3}); }, {"0"});
  expect_invalid([&] { Dataset::from_memory(six, {2}, two); },
                 {"\"targets\" has 2 examples, the first feature 3"});
  expect_invalid([&] { Dataset::from_memory(six, {2}, five); },
                 {"\"targets\" has 5 examples, the first feature 3"});
  expect_invalid([&] { Dataset::from_memory(six, {2}, five, {2}); },
                 {"5 elements", "shape (2,), 2 each"});
  expect_invalid([&] { Dataset::from_memory(six, {2}, six, {}); }, {"target_shape is empty"});
}

TEST(Dataset, FromMemoryChecksValues) {
  const std::vector<float> fine(4);
  const std::vector<float> wrong = {0, 0, 0, NAN};
  const std::vector<std::int32_t> negative = {0, -3};
  expect_invalid([&] { Dataset::from_memory(wrong, {2}); },
                 {"feature \"features\" of example 1 is nan in element 1"});
  expect_invalid([&] { Dataset::from_memory(fine, {2}, wrong, {2}); },
                 {"target \"targets\" of example 1 is nan in element 1"});
  expect_invalid([&] { Dataset::from_memory(fine, {2}, negative); },
                 {"target \"targets\" of example 1 is -3"});
}

Dataset people() {
  return Dataset::from_columns(
      {.features = {{"age", std::vector<float>{20, 30, 40, 50, 60}},
                    {"city", Strings{"Bonn", "", "Ulm", "Bonn", "a longer name than fits inside"}},
                    {"ids", std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {2}}},
       .targets = {{"class", std::vector<std::int32_t>{0, 1, 2, 1, 0}},
                   {"income", std::vector<float>{1, 2, 3, 4, 5}}},
       .weights = {1, 2, 3, 4, 5}});
}

TEST(Dataset, FromColumnsDescribesWhatItIsGiven) {
  const Dataset data = people();
  EXPECT_EQ(data.size(), 5U);
  EXPECT_EQ(data.features(), (std::vector<FeatureInfo>{{"age", DType::kFloat32, {1}},
                                                       {"city", DType::kString, {1}},
                                                       {"ids", DType::kInt64, {2}}}));
  EXPECT_EQ(data.targets(), (std::vector<FeatureInfo>{{"class", DType::kInt32, {}},
                                                      {"income", DType::kFloat32, {1}}}));
  EXPECT_EQ(data.feature<std::string_view>("city")[2], "Ulm");
  EXPECT_EQ(data.target<std::int32_t>("class")[2], 2);
  EXPECT_EQ(data.weights()[4], 5.0F);
  expect_error([&] { data.feature<float>("agee"); }, ErrorCode::kNotFound,
               {"no feature \"agee\"", "\"age\" (float32, (1,)), \"city\" (string, (1,))"});
  expect_invalid([&] { data.feature<float>("city"); }, {"\"city\" is string, not float32"});
}

TEST(Dataset, FromColumnsTakesAVectorOfStrings) {
  const std::vector<std::string> cities{"Bonn", "Ulm"};
  const Dataset data = Dataset::from_columns({.features = {{"city", cities}}});
  EXPECT_EQ(data.feature<std::string_view>("city")[1], "Ulm");
}

TEST(Dataset, FromColumnsNamesTheColumnThatIsWrong) {
  const auto expect = [](Examples examples, std::initializer_list<std::string_view> texts) {
    expect_invalid([&] { Dataset::from_columns(std::move(examples)); }, texts);
  };
  const std::vector<float> two{1, 2};
  expect({}, {"no feature"});
  expect({.features = {{"", two}}}, {"feature 0 has no name"});
  expect({.features = {{"a", two}, {"a", two}}}, {"feature \"a\" comes twice"});
  expect({.features = {{"a", two}, {"b", std::vector<float>{1}}}},
         {"feature \"b\" has 1 examples, the first feature 2"});
  expect({.features = {{"a", std::vector<std::int32_t>{1}}}}, {"feature \"a\" is int32", "int64"});
  expect({.features = {{"a", two}}, .targets = {{"b", std::vector<std::int64_t>{1, 2}}}},
         {"target \"b\" is int64", "int32"});
  expect({.features = {{"a", two}}, .targets = {{"b", Strings{"x", "y"}}}},
         {"target \"b\" is string"});
  expect({.features = {{"a", two}}, .weights = {1}}, {"1 weights for 2 examples"});
  expect({.features = {{"a", two}}, .weights = {1, -1}}, {"the weight of example 1 is -1"});
  expect({.features = {{"a", std::vector<float>{}}}}, {"no example"});
}

TEST(Dataset, SlicesShareTheMemory) {
  const Dataset data = people();
  const Dataset middle = data.slice(1, 3);
  EXPECT_EQ(middle.size(), 3U);
  EXPECT_EQ(middle.feature<float>("age").data(), data.feature<float>("age").data() + 1);
  EXPECT_EQ(middle.slice(1, 1).feature<std::string_view>("city")[0], "Ulm");
  EXPECT_EQ(middle.feature<std::int64_t>("ids")[0], 3);
  EXPECT_EQ(middle.weights().size(), 3U);
  EXPECT_EQ(data.take(2).target<float>("income").back(), 2.0F);
  EXPECT_EQ(data.take(9).size(), 5U);
  expect_invalid([&] { data.slice(3, 3); }, {"5 examples, and not 3 from example 3 on"});
  expect_invalid([&] { data.take(0); }, {"not 0"});
}

TEST(Dataset, SplitTakesTheLastPartAsKerasDoes) {
  const auto [train, validation] = people().split(0.3);  // floor(5 * 0.7) = 3 stay.
  EXPECT_EQ(train.size(), 3U);
  EXPECT_EQ(validation.feature<float>("age")[0], 50.0F);
  EXPECT_EQ(validation.size(), 2U);
  for (const double wrong : {0.0, 1.0, -0.5, 0.9, std::nan("")}) {
    expect_invalid([&] { people().split(wrong); }, {"5 examples leaves one part empty"});
  }
}

TEST(Dataset, SubsetAndConcatenateCopyExamples) {
  const Dataset data = people();
  const std::vector<std::uint64_t> indices{4, 0, 4};
  const Dataset some = data.slice(0, 5).subset(indices);
  EXPECT_TRUE(std::ranges::equal(some.feature<float>("age"), std::array{60.0F, 20.0F, 60.0F}));
  EXPECT_EQ(some.feature<std::string_view>("city")[2], "a longer name than fits inside");
  EXPECT_TRUE(std::ranges::equal(some.feature<std::int64_t>("ids"),
                                 std::array<std::int64_t, 6>{9, 10, 1, 2, 9, 10}));
  EXPECT_EQ(data.slice(2, 2).subset(std::vector<std::uint64_t>{1}).weights()[0], 4.0F);
  const Dataset both = some.concatenate(data.slice(1, 2));
  EXPECT_EQ(both.size(), 5U);
  EXPECT_EQ(both.feature<std::string_view>("city")[4], "Ulm");
  EXPECT_EQ(both.target<std::int32_t>("class")[3], 1);
  EXPECT_EQ(both.weights()[4], 3.0F);
  expect_invalid([&] { data.subset(std::vector<std::uint64_t>{5}); }, {"no example 5", "has 5"});
  const Dataset other = Dataset::from_memory(std::vector<float>{1}, {1});
  expect_invalid([&] { data.concatenate(other); }, {"the features are \"age\"", "\"features\""});
}

TEST(Dataset, FromCsvReadsAdultWithItsStringsAndClasses) {
  const Dataset adult = Dataset::from_csv(
      kExamples + "/adult-test.csv.gz",
      {.label = "income",
       .label_vocabulary = {"<=50K", ">50K"},
       .features = {{"workclass", DType::kString}, {"age"}, {"fnlwgt", DType::kInt64}}});
  EXPECT_EQ(adult.size(), 9769U);
  const auto classes = adult.target<std::int32_t>("income");
  EXPECT_EQ(std::ranges::count(classes, 1), 2329);
  const auto work = adult.feature<std::string_view>("workclass");
  EXPECT_GT(std::ranges::count(work, "Private"), 6000);
  EXPECT_GT(std::ranges::count(work, "?"), 100);
}

TEST(Dataset, FromCsvReadsTheDigits) {
  const Dataset train = Dataset::from_csv(kExamples + "/digits-train.csv.gz", {.scale = 1.0F / 16});
  EXPECT_EQ(train.size(), 1437U);
  EXPECT_EQ(train.features()[0].shape, (Shape{64}));
  const std::span<const float> pixels = train.feature<float>("features");
  EXPECT_EQ(pixels.size(), 1437U * 64U);
  const auto [low, high] = std::minmax_element(pixels.begin(), pixels.end());
  EXPECT_EQ(*low, 0.0F);
  EXPECT_EQ(*high, 1.0F);
  EXPECT_EQ(pixels[3], 10.0F / 16);  // The first line is 0,0,0,10,13,1,...
  EXPECT_EQ(train.target<std::int32_t>("label").front(), 6);
  std::array<int, 10> counts{};
  for (const std::int32_t label : train.target<std::int32_t>("label")) {
    ++counts.at(static_cast<std::size_t>(label));
  }
  for (const int count : counts) EXPECT_GT(count, 100);
}

TEST(Dataset, FromCsvReadsNumericColumnsAmongTextualOnes) {
  const Dataset adult =
      Dataset::from_csv(kExamples + "/adult-test.csv.gz",
                        {.label = "hours_per_week", .columns = {"educational_num", "age"}});
  EXPECT_EQ(adult.size(), 9769U);
  EXPECT_EQ(adult.feature<float>("features")[0], 9.0F);
  EXPECT_EQ(adult.feature<float>("features")[1], 41.0F);
  EXPECT_EQ(adult.target<std::int32_t>("hours_per_week")[1], 40);
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
  const auto features = dataset.feature<float>("features");
  const auto labels = dataset.target<std::int32_t>("label");
  for (std::size_t i = 0; i < kRows; ++i) {
    ASSERT_EQ(features[2 * i], static_cast<float>(i));
    ASSERT_EQ(labels[i], static_cast<std::int32_t>(i % 10));
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
