#include "data/csv_reader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/philox.h"
#include "data/data_testing.h"
#include "support/seed.h"

namespace dtrain::inline v0::data {
namespace {

Examples read(std::string_view text, const CsvOptions& options = {}) {
  CsvReader reader("x.csv", options);
  reader.feed(text);
  return reader.finish();
}

void expect_invalid(std::string_view text, std::initializer_list<std::string_view> texts,
                    const CsvOptions& options = {}) {
  expect_error([&] { read(text, options); }, ErrorCode::kInvalidArgument, texts);
}

TEST(CsvReader, ReadsFeaturesAndClassIds) {
  const Examples examples = read("a,label,b\n1,3,2.5\n-4,0,1e1\n");
  EXPECT_EQ(examples.count, 2U);
  EXPECT_EQ(examples.feature_shape, (Shape{2}));
  EXPECT_EQ(examples.features, (std::vector<float>{1.0F, 2.5F, -4.0F, 10.0F}));
  EXPECT_EQ(examples.label_kind, LabelKind::kClassId);
  EXPECT_EQ(examples.labels, (std::vector<std::int32_t>{3, 0}));
  EXPECT_TRUE(examples.targets.empty());
}

TEST(CsvReader, ReadsIntegerFeaturesWithoutLoss) {
  const CsvOptions options{
      .label = "rating", .label_kind = LabelKind::kValue, .integer_features = true};
  const Examples examples = read("user,item,rating\n9007199254740993,2,0.5\n7,-1,1\n", options);
  EXPECT_EQ(examples.integer_features, (std::vector<std::int64_t>{9007199254740993, 2, 7, -1}));
  EXPECT_TRUE(examples.features.empty());
  EXPECT_EQ(examples.targets, (std::vector<float>{0.5F, 1.0F}));
  expect_invalid("user,rating\n1.5,0\n",
                 {"x.csv line 2, column \"user\": \"1.5\" is not an integer"}, options);
  expect_invalid("user,rating\n99999999999999999999,0\n", {"does not fit into 64 bits"}, options);
}

TEST(CsvReader, ReadsFloatLabels) {
  const Examples examples =
      read("a,price\n1,2.5\n2,-3\n", {.label = "price", .label_kind = LabelKind::kValue});
  EXPECT_EQ(examples.label_kind, LabelKind::kValue);
  EXPECT_EQ(examples.target_shape, (Shape{1}));
  EXPECT_EQ(examples.targets, (std::vector<float>{2.5F, -3.0F}));
}

TEST(CsvReader, ReadsFilesWithoutLabels) {
  const Examples examples = read("a,b\n1,2\n", {.label = ""});
  EXPECT_EQ(examples.label_kind, LabelKind::kNone);
  EXPECT_EQ(examples.features, (std::vector<float>{1.0F, 2.0F}));
}

TEST(CsvReader, SelectsOrdersAndScalesFeaturesButNotLabels) {
  const Examples examples =
      read("a,b,c,label\n1,x,2,8\n3,y,4,9\n", {.columns = {"c", "a"}, .scale = 0.5F});
  EXPECT_EQ(examples.features, (std::vector<float>{1.0F, 0.5F, 2.0F, 1.5F}));
  EXPECT_EQ(examples.labels, (std::vector<std::int32_t>{8, 9}));
}

TEST(CsvReader, TakesTheFeatureShape) {
  EXPECT_EQ(read("a,b,label\n1,2,0\n", {.feature_shape = {2, 1}}).feature_shape, (Shape{2, 1}));
}

TEST(CsvReader, UnderstandsQuotesAsRfc4180) {
  const Examples examples =
      read("\"a,\n\"\"x\"\"\",label\r\n\"1\",\"2\"\r\n", {.columns = {"a,\n\"x\""}});
  EXPECT_EQ(examples.features, (std::vector<float>{1.0F}));
  EXPECT_EQ(examples.labels, (std::vector<std::int32_t>{2}));
}

TEST(CsvReader, AcceptsAnyLineBreakBlankLinesAndNoneAtTheEnd) {
  const std::vector<float> expected = {1.0F, 2.0F};
  for (const char* text : {"a,label\n1,0\n2,0\n", "a,label\r\n1,0\r\n2,0", "a,label\r1,0\r2,0\r",
                           "\n\na,label\n \n1,0\n\r\n2,0\n\n", "a , label\n 1,\t0 \n2 ,0"}) {
    EXPECT_EQ(read(text).features, expected) << text;
  }
}

TEST(CsvReader, SkipsAByteOrderMark) {
  EXPECT_EQ(read("\xEF\xBB\xBF\"a\",label\n1,0\n", {.columns = {"a"}}).features,
            (std::vector<float>{1.0F}));
  EXPECT_EQ(read("\xEF\xBB"
                 "a,label\n1,0\n",
                 {.columns = {"\xEF\xBB"
                              "a"}})
                .features,
            (std::vector<float>{1.0F}));
}

TEST(CsvReader, TakesOtherDelimiters) {
  EXPECT_EQ(read("a;label\n1;0\n", {.delimiter = ';'}).features, (std::vector<float>{1.0F}));
  EXPECT_EQ(read("a\tlabel\n1\t0\n", {.delimiter = '\t'}).features, (std::vector<float>{1.0F}));
}

TEST(CsvReader, WhereThePiecesEndMakesNoDifference) {
  const std::string text =
      "\xEF\xBB\xBF\"na\"\"me\",b,label\r\n1.5,\"2\",3\r\n\"4\n\",5,6\r\n\r\n7,8,\"9\"";
  const CsvOptions options = {.columns = {"b"}};
  const Examples whole = read(text, options);
  ASSERT_EQ(whole.features, (std::vector<float>{2.0F, 5.0F, 8.0F}));
  base::PhiloxStream random(support::seed());
  for (int repetition = 0; repetition < 200; ++repetition) {
    CsvReader reader("x.csv", options);
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t bytes = std::min<std::size_t>(random.below(9), rest.size());
      reader.feed(rest.substr(0, bytes));
      rest.remove_prefix(bytes);
    }
    const Examples pieces = reader.finish();
    EXPECT_EQ(pieces.features, whole.features);
    EXPECT_EQ(pieces.labels, whole.labels);
  }
}

TEST(CsvReader, AnEmptyFileSaysSo) {
  for (const char* text : {"", "\n\n", "\r\n", "   "}) {
    expect_invalid(text, {"x.csv is empty", "column names"});
  }
}

TEST(CsvReader, AHeaderAloneSaysSo) {
  expect_invalid("a,label\n", {"x.csv", "no example"});
  expect_invalid("a,label", {"x.csv", "no example"});
}

TEST(CsvReader, WhatIsNotANumberIsQuotedWithLineAndColumn) {
  expect_invalid("a,b,label\n1,2,0\n3,abc,1\n",
                 {"x.csv line 3", "column \"b\"", "\"abc\"", "is not a number"});
  expect_invalid("a,label\n1,0\n\n?,1\n", {"x.csv line 4", "column \"a\"", "\"?\""});
}

TEST(CsvReader, TheLineIsRightAfterQuotedLineBreaks) {
  expect_invalid("a,n,label\n1,\"x\ny\n\",0\nbad,n,0\n", {"x.csv line 5", "\"bad\""},
                 {.columns = {"a"}});
}

TEST(CsvReader, AnEmptyFieldSaysSo) {
  expect_invalid("a,b,label\n1,,0\n", {"line 2", "column \"b\"", "the field is empty"});
  expect_invalid("a,b,label\n1,2,\"\"\n", {"line 2", "column \"label\"", "the field is empty"});
}

TEST(CsvReader, ARaggedLineCountsItsFields) {
  expect_invalid("a,b,label\n1,2,3\n1,2\n", {"line 3 has 2 fields, expected 3"});
  expect_invalid("a,b,label\n1,2,3,4,5\n", {"line 2 has 5 fields, expected 3"});
  expect_invalid("a,b,label\n1\n", {"line 2 has 1 field, expected 3"});
}

TEST(CsvReader, ARaggedLineIsReportedBeforeWhatItsShiftedFieldsHold) {
  expect_invalid("a,name,label\n1,Smith, John,3\n", {"line 2 has 4 fields, expected 3"},
                 {.columns = {"a"}});
}

TEST(CsvReader, NanAndInfinityAreErrorsUnlessAllowed) {
  expect_invalid("a,label\nnan,0\n",
                 {"line 2", "\"nan\" is not a finite float", "allow_non_finite"});
  expect_invalid("a,label\n-inf,0\n", {"\"-inf\" is not a finite float"});
  EXPECT_TRUE(std::isnan(read("a,label\nnan,0\n", {.allow_non_finite = true}).features.front()));
}

TEST(CsvReader, NumbersBeyondAFloatAreErrorsEvenThen) {
  const CsvOptions options = {.allow_non_finite = true};
  expect_invalid("a,label\n1e39,0\n", {"\"1e39\" is not a finite float"}, options);
}

TEST(CsvReader, AClassIdIsAnIntegerFromZero) {
  expect_invalid("a,label\n1,0.5\n",
                 {"line 2", "column \"label\"", "\"0.5\"", "not an integer", "kValue"});
  expect_invalid("a,label\n1,cat\n", {"\"cat\"", "not an integer"});
  expect_invalid("a,label\n1,-1\n", {"\"-1\"", "not between 0 and 2147483647"});
  expect_invalid("a,label\n1,2147483648\n", {"\"2147483648\"", "not between"});
  EXPECT_EQ(read("a,label\n1,2147483647\n").labels.front(),
            std::numeric_limits<std::int32_t>::max());
}

TEST(CsvReader, AFloatLabelIsAFiniteNumber) {
  const CsvOptions options = {.label_kind = LabelKind::kValue};
  expect_invalid("a,label\n1,x\n", {"column \"label\"", "\"x\" is not a number"}, options);
  expect_invalid("a,label\n1,inf\n", {"column \"label\"", "\"inf\" is not a finite"}, options);
}

TEST(CsvReader, StrayQuotesAreErrors) {
  expect_invalid("a,label\n1,0\n1\"5,0\n", {"x.csv line 3", "a quote"});
  expect_invalid("a,label\n\"1\"5,0\n", {"x.csv line 2", "after a closing quote"});
}

TEST(CsvReader, AnUnclosedQuoteIsAnError) {
  expect_invalid("a,label\n\"1,0\n2,0\n", {"x.csv ends inside a quoted field"});
}

TEST(CsvReader, TheFirstErrorOfAFileIsReported) {
  expect_invalid("a,label\nx,0\ny,0\n", {"line 2", "\"x\""});
}

TEST(CsvReader, AFieldHasALimit) {
  const std::string text = "a,label\n\"" + std::string(2 * kCsvFieldBytesMax, '1');
  expect_error([&] { read(text); }, ErrorCode::kResourceExhausted,
               {"x.csv line 2", "longer than 1048576 bytes", "quote"});
}

TEST(CsvReader, TheNumberOfColumnsHasALimit) {
  const std::string text = std::string(kCsvColumnsMax, ',') + "\n";
  expect_error([&] { read(text); }, ErrorCode::kResourceExhausted, {"more than 1048576 columns"});
}

TEST(CsvReader, MemoryHasALimit) {
  const std::string text = "a,label\n1,0\n2,0\n3,0\n";
  EXPECT_EQ(read(text, {.memory_bytes_max = 24}).count, 3U);
  expect_error([&] { read(text, {.memory_bytes_max = 23}); }, ErrorCode::kResourceExhausted,
               {"x.csv up to line 4", "23 bytes", "memory_bytes_max"});
}

TEST(CsvReader, WrongOptionsAreReportedAtOnce) {
  expect_error([] { CsvReader("x.csv", {.scale = 0.5F, .integer_features = true}); },
               ErrorCode::kInvalidArgument, {"Integers are not scaled"});
  expect_error([] { CsvReader("x.csv", {.scale = 0.0F}); }, ErrorCode::kInvalidArgument,
               {"CsvOptions::scale"});
}

}  // namespace
}  // namespace dtrain::inline v0::data
