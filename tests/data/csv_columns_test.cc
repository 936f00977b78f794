#include "data/csv_columns.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "data/data_testing.h"

namespace dtrain::inline v0::data {
namespace {

// "label", "weight", "-", or the feature and the column's position in it, "0.1".
std::vector<std::string> uses(const CsvColumns& plan) {
  std::vector<std::string> result;
  for (const CsvColumn& column : plan.columns) {
    switch (column.use) {
      case CsvColumn::Use::kUnused:
        result.push_back("-");
        break;
      case CsvColumn::Use::kLabel:
        result.push_back("label");
        break;
      case CsvColumn::Use::kWeight:
        result.push_back("weight");
        break;
      case CsvColumn::Use::kFeature:
        result.push_back(std::to_string(column.feature) + "." + std::to_string(column.position));
    }
  }
  return result;
}

using Uses = std::vector<std::string>;

void expect_invalid(std::vector<std::string> names, const CsvOptions& options,
                    std::initializer_list<std::string_view> texts) {
  expect_error([&] { plan_columns("x.csv", names, options); }, ErrorCode::kInvalidArgument, texts);
}

TEST(PlanColumns, UsesEveryColumnButTheLabelInTheFilesOrder) {
  const CsvColumns plan = plan_columns("x.csv", {"a", "label", "b"}, {});
  EXPECT_EQ(uses(plan), (Uses{"0.0", "label", "0.1"}));
  EXPECT_EQ(plan.features.at(0).columns.size(), 2U);
}

TEST(PlanColumns, UsesTheListedColumnsInTheListsOrder) {
  const CsvColumns plan =
      plan_columns("x.csv", {"a", "y", "b", "c"}, {.label = "y", .columns = {"c", "a"}});
  EXPECT_EQ(uses(plan), (Uses{"0.1", "label", "-", "0.0"}));
  EXPECT_EQ(plan.features.at(0).columns.size(), 2U);
}

TEST(PlanColumns, WithoutALabelUsesEveryColumn) {
  EXPECT_EQ(uses(plan_columns("x.csv", {"a", "label"}, {.label = ""})), (Uses{"0.0", "0.1"}));
}

TEST(PlanColumns, AcceptsUnnamedAndRepeatedColumnsThatAreNotUsed) {
  EXPECT_EQ(uses(plan_columns("x.csv", {"", "d", "d", "a", "label"}, {.columns = {"a"}})),
            (Uses{"-", "-", "-", "0.0", "label"}));
}

TEST(PlanColumns, AnUnknownLabelListsTheColumns) {
  expect_invalid(
      {"p0", "p1", "digit"}, {},
      {"x.csv", "no column \"label\"", "\"p0\", \"p1\", \"digit\"", "CsvOptions::label"});
}

TEST(PlanColumns, ALongListOfColumnsIsCut) {
  std::vector<std::string> names;
  for (int i = 0; i < 25; ++i) names.push_back("p" + std::to_string(i));
  expect_invalid(names, {}, {"\"p19\" and 5 more"});
}

TEST(PlanColumns, AnUnknownFeatureColumnIsNamed) {
  expect_invalid({"a", "label"}, {.columns = {"a", "b"}}, {"no column \"b\"", "columns"});
}

TEST(PlanColumns, ARepeatedColumnIsNamed) {
  expect_invalid({"a", "a", "label"}, {}, {"more than one column \"a\""});
  expect_invalid({"a", "label", "label"}, {}, {"more than one column \"label\""});
}

TEST(PlanColumns, AnUnnamedFeatureColumnIsCounted) {
  expect_invalid({"", "a", "label"}, {}, {"column 1 of x.csv has no name"});
}

TEST(PlanColumns, ALabelIsNoFeature) {
  expect_invalid({"a", "label"}, {.columns = {"label"}}, {"\"label\"", "is the label"});
}

TEST(PlanColumns, AColumnIsListedOnce) {
  expect_invalid({"a", "label"}, {.columns = {"a", "a"}}, {"\"a\"", "listed twice"});
}

TEST(PlanColumns, ALabelAloneIsNotEnough) {
  expect_invalid({"label"}, {}, {"no column but the label", "delimiter"});
}

TEST(PlanColumns, NumbersOnTheFirstLineAreNoHeader) {
  expect_invalid({"0", "7", "11"}, {}, {"x.csv has no header", "\"0\""});
}

TEST(PlanColumns, FeaturesTakeTheColumnsTheyName) {
  const CsvColumns plan =
      plan_columns("x.csv", {"w", "a", "label", "b", "c", "d"},
                   {.weight = "w",
                    .features = {{.name = "pair", .columns = {"c", "a"}}, {"d", DType::kString}}});
  EXPECT_EQ(uses(plan), (Uses{"weight", "0.1", "label", "-", "0.0", "1.0"}));
  EXPECT_EQ(plan.features[0].shape, (Shape{2}));
  EXPECT_EQ(plan.features[1].columns, (std::vector<std::string>{"d"}));
  expect_invalid({"a", "label"}, {.features = {{"a"}, {.name = "b", .columns = {"a"}}}},
                 {"\"a\"", "listed twice"});
  expect_invalid({"a", "label"}, {.features = {{"b"}}}, {"no column \"b\" (features)"});
  expect_invalid({"a", "label"}, {.label = "", .weight = "a", .columns = {"a"}},
                 {"\"a\"", "holds the weights"});
}

TEST(PlanColumns, SeparateColumnsAreFeaturesAfterTheListedOnes) {
  const CsvColumns plan =
      plan_columns("x.csv", {"a", "label", "b", "c"},
                   {.scale = 0.5F, .features = {{"b", DType::kString}}, .separate_columns = true});
  EXPECT_EQ(uses(plan), (Uses{"1.0", "label", "0.0", "2.0"}));
  EXPECT_EQ(plan.features[2].name, "c");
  EXPECT_EQ(plan.features[2].scale, 0.5F);
  expect_invalid({"a", "b", "label"},
                 {.features = {{.name = "a", .columns = {"b"}}}, .separate_columns = true},
                 {"\"a\"", "called so, too"});
}

TEST(PlanColumns, AFeatureShapeHoldsTheColumns) {
  EXPECT_NO_THROW(plan_columns("x.csv", {"a", "b", "label"}, {.feature_shape = {2, 1}}));
  expect_invalid({"a", "b", "label"}, {.feature_shape = {3, 1}}, {"(3, 1)", "2 columns"});
}

TEST(ValidateCsvOptions, NamesTheOptionAndItsValue) {
  const auto expect = [](const CsvOptions& options, std::string_view option,
                         std::string_view value) {
    expect_error([&] { validate(options); }, ErrorCode::kInvalidArgument, {option, value});
  };
  expect({.scale = 0.0F}, "scale", "0");
  expect({.scale = std::numeric_limits<float>::infinity()}, "scale", "inf");
  expect({.delimiter = '"'}, "delimiter", "34");
  expect({.delimiter = '\0'}, "delimiter", "number 0");
  expect({.label_kind = LabelKind::kNone}, "label_kind", "kNone");
  expect({.label_vocabulary = {"a", "b", "a"}}, "label_vocabulary", "\"a\"");
  expect({.label_kind = LabelKind::kValue, .label_vocabulary = {"a"}}, "label_vocabulary", "label");
  expect({.features = {{"a"}, {"a"}}}, "CsvOptions::features", "\"a\"");
  expect({.features = {{""}}}, "CsvFeature", "no name");
  expect({.features = {{"a", DType::kInt32}}}, "\"a\"", "int32");
  expect({.features = {{.name = "a", .scale = NAN}}}, "\"a\"", "nan");
  expect({.features = {{.name = "a", .dtype = DType::kInt64, .scale = 2.0F}}}, "\"a\"", "2");
  expect({.features = {{.name = "a", .missing = "none"}}}, "\"a\"", "\"none\"");
  expect({.features = {{.name = "a", .missing = "nan"}}}, "\"a\"", "\"nan\"");
  expect({.columns = {"b"}, .features = {{"a"}}}, "separate_columns", "columns");
  expect({.feature_shape = {1}, .features = {{"a"}}}, "feature_shape", "shape");
  EXPECT_NO_THROW(
      validate({.features = {{.name = "a", .missing = "nan"}}, .allow_non_finite = true}));
  EXPECT_NO_THROW(validate({}));
}

}  // namespace
}  // namespace dtrain::inline v0::data
