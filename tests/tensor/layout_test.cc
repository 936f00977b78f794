#include "tensor/layout.h"

#include <gtest/gtest.h>

#include <string>

#include "dtrain/error.h"

namespace dtrain::inline v0::tensor {
namespace {

std::string error_of(const std::vector<Variable>& variables) {
  try {
    (void)Layout::plan(variables);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Layout, PutsEachVariableOnABoundaryInTheGivenOrder) {
  const Layout layout = Layout::plan(
      {{.name = "a", .shape = {3, 5}}, {.name = "b", .shape = {}}, {.name = "c", .shape = {64}}});
  ASSERT_EQ(layout.entries().size(), 3U);
  EXPECT_EQ(layout.entries()[0].offset, 0U);
  EXPECT_EQ(layout.entries()[1].offset, 16U);
  EXPECT_EQ(layout.entries()[2].offset, 32U);
  EXPECT_EQ(layout.count(), 96U);
  EXPECT_EQ(layout.at("a").count, 15U);
  EXPECT_EQ(layout.at("a").row_count(), 5U);
  EXPECT_EQ(layout.at("b").row_count(), 1U);
}

TEST(Layout, FindsEachOfManyVariables) {
  std::vector<Variable> variables;
  for (int i = 0; i < 300; ++i) {
    variables.push_back({.name = std::to_string((i * 7919) % 300), .shape = {1}});
  }
  const Layout layout = Layout::plan(variables);
  const Layout copy = layout;
  for (std::size_t i = 0; i < variables.size(); ++i) {
    ASSERT_EQ(copy.at(variables[i].name).offset, 16 * i);
  }
  EXPECT_EQ(copy.find("300"), nullptr);
  EXPECT_EQ(copy.find(""), nullptr);
  EXPECT_EQ(Layout().find("a"), nullptr);
}

TEST(Layout, MistakesNameTheVariable) {
  EXPECT_NE(error_of({{.name = "", .shape = {1}}}).find("variable 0 has an empty name"),
            std::string::npos);
  EXPECT_NE(error_of({{.name = "a", .shape = {1}}, {.name = "a", .shape = {1}}})
                .find("two variables are named \"a\""),
            std::string::npos);
  EXPECT_NE(error_of({{.name = "a", .shape = {2, 0}}}).find("variable \"a\""), std::string::npos);
  EXPECT_NE(error_of({{.name = "a", .shape = {2, 0}}}).find("(2, 0) has a size below 1"),
            std::string::npos);
  const std::int64_t huge = std::int64_t{1} << 40;
  EXPECT_NE(error_of({{.name = "a", .shape = {huge, huge}}}).find("too many elements"),
            std::string::npos);
}

TEST(Layout, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  const Layout layout = Layout::plan({{.name = "a", .shape = {1}}, {.name = "b", .shape = {1}}});
  EXPECT_EQ(layout.find("c"), nullptr);
  try {
    (void)layout.at("c");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[NOT_FOUND] there is no variable \"c\". Declared are: a, b.");
  }
}

TEST(Layout, ShapesReadAsInPython) {
  EXPECT_EQ(to_string(Shape{}), "()");
  EXPECT_EQ(to_string(Shape{3}), "(3,)");
  EXPECT_EQ(to_string(Shape{3, 4}), "(3, 4)");
}

}  // namespace
}  // namespace dtrain::inline v0::tensor
