#include "data/csv_reader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/philox.h"
#include "data/data_testing.h"
#include "data/examples.h"
#include "support/seed.h"

namespace dtrain::inline v0::data {
namespace {

Examples read(std::string_view text, const CsvOptions& options = {}) {
  CsvReader reader("x.csv", options);
  reader.feed(text);
  return reader.finish();
}

const std::vector<float>& features(const Examples& examples) {
  return values<float>(examples.features.at(0));
}
const std::vector<std::int32_t>& labels(const Examples& examples) {
  return values<std::int32_t>(examples.targets.at(0));
}
const std::vector<float>& targets(const Examples& examples) {
  return values<float>(examples.targets.at(0));
}

void expect_invalid(std::string_view text, std::initializer_list<std::string_view> texts,
                    const CsvOptions& options = {}) {
  expect_error([&] { read(text, options); }, ErrorCode::kInvalidArgument, texts);
}

TEST(CsvReader, ReadsFeaturesAndClassIds) {
  const Examples examples = read("a,label,b\n1,3,2.5\n-4,0,1e1\n");
  EXPECT_EQ(examples.size(), 2U);
  EXPECT_EQ(examples.features[0].name, "features");
  EXPECT_EQ(examples.features[0].shape, (Shape{2}));
  EXPECT_EQ(features(examples), (std::vector<float>{1.0F, 2.5F, -4.0F, 10.0F}));
  EXPECT_TRUE(examples.targets[0].shape.empty());
  EXPECT_EQ(labels(examples), (std::vector<std::int32_t>{3, 0}));
  EXPECT_EQ(examples.targets.size(), 1U);
  EXPECT_EQ(examples.targets[0].name, "label");
}

TEST(CsvReader, ReadsIntegerFeaturesWithoutLoss) {
  const CsvOptions options{
      .label = "rating", .label_kind = LabelKind::kValue, .integer_features = true};
  const Examples examples = read("user,item,rating\n9007199254740993,2,0.5\n7,-1,1\n", options);
  EXPECT_EQ(values<std::int64_t>(examples.features[0]),
            (std::vector<std::int64_t>{9007199254740993, 2, 7, -1}));
  EXPECT_EQ(targets(examples), (std::vector<float>{0.5F, 1.0F}));
  expect_invalid("user,rating\n1.5,0\n",
                 {"x.csv line 2, column \"user\": \"1.5\" is not an integer"}, options);
  expect_invalid("user,rating\n99999999999999999999,0\n", {"does not fit into 64 bits"}, options);
}

TEST(CsvReader, ReadsFloatLabels) {
  const Examples examples =
      read("a,price\n1,2.5\n2,-3\n", {.label = "price", .label_kind = LabelKind::kValue});
  EXPECT_EQ(examples.targets[0].name, "price");
  EXPECT_EQ(examples.targets[0].shape, (Shape{1}));
  EXPECT_EQ(targets(examples), (std::vector<float>{2.5F, -3.0F}));
}

TEST(CsvReader, ReadsFilesWithoutLabels) {
  const Examples examples = read("a,b\n1,2\n", {.label = ""});
  EXPECT_TRUE(examples.targets.empty());
  EXPECT_EQ(features(examples), (std::vector<float>{1.0F, 2.0F}));
}

TEST(CsvReader, SelectsOrdersAndScalesFeaturesButNotLabels) {
  const Examples examples =
      read("a,b,c,label\n1,x,2,8\n3,y,4,9\n", {.columns = {"c", "a"}, .scale = 0.5F});
  EXPECT_EQ(features(examples), (std::vector<float>{1.0F, 0.5F, 2.0F, 1.5F}));
  EXPECT_EQ(labels(examples), (std::vector<std::int32_t>{8, 9}));
}

TEST(CsvReader, TakesTheFeatureShape) {
  EXPECT_EQ(read("a,b,label\n1,2,0\n", {.feature_shape = {2, 1}}).features[0].shape, (Shape{2, 1}));
}

CsvOptions people() {
  return {.label = "income",
          .label_vocabulary = {"<=50K", ">50K"},
          .weight = "w",
          .features = {{"work", DType::kString},
                       {"age", DType::kInt64},
                       {.name = "gain", .columns = {"up", "down"}, .scale = 0.5F}}};
}

TEST(CsvReader, ReadsFeaturesOfSeveralTypesClassesByNameAndWeights) {
  const Examples examples =
      read("down,age,income,w,work,up,x\n1,39,>50K,0.5,Private,3,?\n2,50,<=50K,2,\"a, b\",4,?\n",
           people());
  ASSERT_EQ(examples.features.size(), 3U);
  EXPECT_EQ(examples.features[0].name, "work");
  EXPECT_EQ(texts(examples.features[0]), (std::vector<std::string>{"Private", "a, b"}));
  EXPECT_EQ(examples.features[0].shape, (Shape{1}));
  EXPECT_EQ(values<std::int64_t>(examples.features[1]), (std::vector<std::int64_t>{39, 50}));
  EXPECT_EQ(examples.features[2].shape, (Shape{2}));
  EXPECT_EQ(values<float>(examples.features[2]), (std::vector<float>{1.5F, 0.5F, 2.0F, 1.0F}));
  EXPECT_EQ(labels(examples), (std::vector<std::int32_t>{1, 0}));
  EXPECT_EQ(examples.weights, (std::vector<float>{0.5F, 2.0F}));
}

TEST(CsvReader, WhatIsNoClassAndNoWeightIsQuoted) {
  const std::string header = "down,age,income,w,work,up\n";
  expect_invalid(header + "1,39,50K.,0.5,a,3\n",
                 {"x.csv line 2, column \"income\": \"50K.\" is no class of", "vocabulary"},
                 people());
  expect_invalid(header + "1,39,>50K,-1,a,3\n", {"column \"w\": \"-1\" is no weight"}, people());
}

TEST(CsvReader, EachColumnMayBeAFeatureOfItsOwn) {
  const Examples examples =
      read("a,city,label,b\n1,Bonn,0,2\n",
           {.features = {{"city", DType::kString}}, .separate_columns = true});
  ASSERT_EQ(examples.features.size(), 3U);
  EXPECT_EQ(texts(examples.features[0]), (std::vector<std::string>{"Bonn"}));
  EXPECT_EQ(examples.features[1].name, "a");
  EXPECT_EQ(values<float>(examples.features[1]), (std::vector<float>{1.0F}));
  EXPECT_EQ(examples.features[2].name, "b");
  EXPECT_EQ(examples.features[2].shape, (Shape{1}));
}

TEST(CsvReader, AnEmptyFieldIsWhatMissingSaysOrAnError) {
  const std::string text = "a,n,s,label\n,,,0\n1,2,x,1\n";
  const Examples examples = read(text, {.features = {{.name = "a", .missing = "-1", .scale = 2.0F},
                                                     {"n", DType::kInt64, {}, {}, "7"},
                                                     {"s", DType::kString, {}, {}, ""}}});
  EXPECT_EQ(values<float>(examples.features[0]), (std::vector<float>{-1.0F, 2.0F}));
  EXPECT_EQ(values<std::int64_t>(examples.features[1]), (std::vector<std::int64_t>{7, 2}));
  EXPECT_EQ(texts(examples.features[2]), (std::vector<std::string>{"", "x"}));
  expect_invalid(text, {"line 2, column \"s\": the field is empty", "CsvFeature::missing"},
                 {.features = {{"s", DType::kString}}});
}

TEST(CsvReader, GivesExamplesAsTheyCome) {
  std::string text = "s,a,label\n";
  for (int i = 0; i < 300; ++i) {
    const std::string number = std::to_string(i);
    text += "name " + number + "," + number + "," + std::to_string(i % 7) + "\n";
  }
  const CsvOptions options{.features = {{"s", DType::kString}, {"a"}}};
  const Examples whole = read(text, options);
  base::PhiloxStream random(support::seed());
  for (int repetition = 0; repetition < 20; ++repetition) {
    CsvReader reader("x.csv", options);
    Examples piece;
    Examples all = empty_like(whole);
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t bytes = std::min<std::size_t>(1 + random.below(900), rest.size());
      reader.feed(rest.substr(0, bytes));
      rest.remove_prefix(bytes);
      if (rest.empty()) reader.end();
      if (random.below(2) == 0 && !rest.empty()) continue;
      reader.take(piece);
      if (!piece.features.empty()) append(all, piece, 0, piece.size());
    }
    EXPECT_EQ(texts(all.features[0]), texts(whole.features[0]));
    EXPECT_EQ(values<float>(all.features[1]), values<float>(whole.features[1]));
    EXPECT_EQ(labels(all), labels(whole));
  }
}

TEST(CsvReader, UnderstandsQuotesAsRfc4180) {
  const Examples examples =
      read("\"a,\n\"\"x\"\"\",label\r\n\"1\",\"2\"\r\n", {.columns = {"a,\n\"x\""}});
  EXPECT_EQ(features(examples), (std::vector<float>{1.0F}));
  EXPECT_EQ(labels(examples), (std::vector<std::int32_t>{2}));
}

TEST(CsvReader, AcceptsAnyLineBreakBlankLinesAndNoneAtTheEnd) {
  const std::vector<float> expected = {1.0F, 2.0F};
  for (const char* text : {"a,label\n1,0\n2,0\n", "a,label\r\n1,0\r\n2,0", "a,label\r1,0\r2,0\r",
                           "\n\na,label\n \n1,0\n\r\n2,0\n\n", "a , label\n 1,\t0 \n2 ,0"}) {
    EXPECT_EQ(features(read(text)), expected) << text;
  }
}

TEST(CsvReader, SkipsAByteOrderMark) {
  EXPECT_EQ(features(read("\xEF\xBB\xBF\"a\",label\n1,0\n", {.columns = {"a"}})),
            (std::vector<float>{1.0F}));
  EXPECT_EQ(features(read("\xEF\xBB"
                          "a,label\n1,0\n",
                          {.columns = {"\xEF\xBB"
                                       "a"}})),
            (std::vector<float>{1.0F}));
}

TEST(CsvReader, TakesOtherDelimiters) {
  EXPECT_EQ(features(read("a;label\n1;0\n", {.delimiter = ';'})), (std::vector<float>{1.0F}));
  EXPECT_EQ(features(read("a\tlabel\n1\t0\n", {.delimiter = '\t'})), (std::vector<float>{1.0F}));
}

TEST(CsvReader, WhereThePiecesEndMakesNoDifference) {
  const std::string text =
      "\xEF\xBB\xBF\"na\"\"me\",b,label\r\n1.5,\"2\",3\r\n\"4\n\",5,6\r\n\r\n7,8,\"9\"";
  const CsvOptions options = {.columns = {"b"}};
  const Examples whole = read(text, options);
  ASSERT_EQ(features(whole), (std::vector<float>{2.0F, 5.0F, 8.0F}));
  base::PhiloxStream random(support::seed());
  for (int repetition = 0; repetition < 200; ++repetition) {
    CsvReader reader("x.csv", options);
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t bytes = std::min<std::size_t>(random.below(9), rest.size());
      reader.feed(rest.substr(0, bytes));
      rest.remove_prefix(bytes);
    }
    const Examples pieces = reader.finish();
    EXPECT_EQ(features(pieces), features(whole));
    EXPECT_EQ(labels(pieces), labels(whole));
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
  EXPECT_TRUE(std::isnan(features(read("a,label\nnan,0\n", {.allow_non_finite = true})).front()));
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
  EXPECT_EQ(labels(read("a,label\n1,2147483647\n")).front(),
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
  EXPECT_EQ(read(text, {.memory_bytes_max = 24}).size(), 3U);
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
