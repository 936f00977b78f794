#include "compute/update_plan.h"

#include <gtest/gtest.h>

#include <numeric>

#include "dtrain/error.h"

namespace dtrain::inline v0::compute {
namespace {

const tensor::Layout kLayout = tensor::Layout::plan({{.name = "a/kernel", .shape = {5, 4}},
                                                     {.name = "a/bias", .shape = {3}},
                                                     {.name = "b/kernel", .shape = {16}},
                                                     {.name = "b/bias", .shape = {2}}});

std::string error_of(const UpdateRules& rules) {
  try {
    (void)UpdatePlan(kLayout, Sgd{}, rules);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return {};
}

/// The values after one update of gradient 1 everywhere, from 1 everywhere, in pieces.
std::vector<float> updated(const Optimizer& optimizer, const UpdateRules& rules, std::size_t piece,
                           std::span<const double> factors = {}) {
  const UpdatePlan plan(kLayout, optimizer, rules);
  std::vector<float> values(kLayout.count(), 1.0F);
  const std::vector<float> gradients(kLayout.count(), 1.0F);
  for (std::size_t begin = 0; begin < values.size(); begin += piece) {
    const std::size_t count = std::min(piece, values.size() - begin);
    const auto part = std::span(values).subspan(begin, count);
    plan.for_each_part(
        begin,
        {.values = part, .updated = part, .gradients = std::span(gradients).subspan(begin, count)},
        factors, [&](const OptimizerUpdate& run) { compute::apply(optimizer, run); });
  }
  return values;
}

float value_of(const std::vector<float>& values, std::string_view name) {
  const tensor::LayoutEntry& entry = kLayout.at(name);
  for (std::size_t i = entry.offset; i < entry.end(); ++i) {
    EXPECT_EQ(values[i], values[entry.offset]) << name << " is updated unevenly";
  }
  return values[entry.offset];
}

TEST(UpdatePlan, GroupsHaveTheirOwnRateDecayAndFrozenVariablesKeepTheirBits) {
  const UpdateRules rules{.groups = {{.variables = {"a/kernel"}, .learning_rate_factor = 0.5F},
                                     {.variables = {"*/bias"}, .weight_decay = false},
                                     {.variables = {"b/k*"}, .frozen = true}}};
  const Sgd sgd{.learning_rate = 0.5F, .weight_decay = 0.5F};
  for (const std::size_t piece : {1, 7, 64, 1000}) {
    const std::vector<float> values = updated(sgd, rules, piece);
    EXPECT_EQ(value_of(values, "a/kernel"), 1.0F - 0.5F * 0.25F - 0.25F);
    EXPECT_EQ(value_of(values, "a/bias"), 0.5F);
    EXPECT_EQ(value_of(values, "b/bias"), 0.5F);
    EXPECT_EQ(value_of(values, "b/kernel"), 1.0F);
  }
}

TEST(UpdatePlan, WithoutGroupsAnUpdateIsOnePass) {
  EXPECT_EQ(UpdatePlan(kLayout, Adam{}, {}).runs().size(), 1U);
  EXPECT_EQ(UpdatePlan(kLayout, Adam{}, {.clipping = {.global_norm = 1.0F}}).runs().size(), 1U);
  const UpdatePlan by_norm(kLayout, Adam{}, {.clipping = {.norm = 1.0F}});
  EXPECT_EQ(by_norm.runs().size(), 4U) << "each variable has a factor of its own";
}

TEST(UpdatePlan, FactorsOfClippingGoToTheirVariables) {
  const std::vector<double> factors = {0.5, 0.25, 0.125, 1.0};
  const std::vector<float> values =
      updated(Sgd{.learning_rate = 1.0F}, {.clipping = {.norm = 1.0F}}, 9, factors);
  EXPECT_EQ(value_of(values, "a/kernel"), 0.5F);
  EXPECT_EQ(value_of(values, "a/bias"), 0.75F);
  EXPECT_EQ(value_of(values, "b/kernel"), 0.875F);
  EXPECT_EQ(value_of(values, "b/bias"), 0.0F);
}

TEST(UpdatePlan, StatisticsAreSubtractedWhateverTheOptimizerAndClippingAre) {
  const UpdateRules rules{.clipping = {.value = 0.25F},
                          .groups = {{.variables = {"*/bias"}, .learning_rate_factor = 0.5F},
                                     {.variables = {"b/bias"}, .statistics = true}}};
  for (const std::size_t piece : {1, 7, 1000}) {
    const std::vector<float> values =
        updated(Sgd{.learning_rate = 1.0F, .weight_decay = 0.5F}, rules, piece);
    EXPECT_EQ(value_of(values, "a/bias"), 1.0F - 0.25F - 0.125F);
    EXPECT_EQ(value_of(values, "b/bias"), 0.0F);
  }
  const UpdatePlan plan(
      kLayout, Adam{},
      {.clipping = {.global_norm = 1.0F}, .groups = {{.variables = {"b/*"}, .statistics = true}}});
  std::size_t counted = 0;
  (void)plan.clip_factors(kLayout, 1.0, [&](std::size_t /*begin*/, std::size_t count, SquareSum&) {
    counted += count;
  });
  EXPECT_EQ(counted, 23U) << "the kernel and the bias of a alone";
}

TEST(UpdatePlan, MistakesInGroupsAreNamed) {
  const auto says = [](const char* what, const UpdateRules& rules) {
    EXPECT_NE(error_of(rules).find(what), std::string::npos) << error_of(rules);
  };
  says(
      "\"c/*\" of a parameter group matches no variable. Variables are: a/kernel, a/bias, "
      "b/kernel, b/bias",
      {.groups = {{.variables = {"a/*", "c/*"}}}});
  says("variable \"a/bias\" is in two groups, {a/*: frozen} and {*bias: no weight decay}",
       {.groups = {{.variables = {"a/*"}, .frozen = true},
                   {.variables = {"*bias"}, .weight_decay = false}}});
  says("groups[0].learning_rate_factor is -1. Give a number of at least 0",
       {.groups = {{.variables = {"*"}, .learning_rate_factor = -1.0F}}});
  says("groups[0] names no variable", {.groups = {{.frozen = true}}});
  says("groups[0] has statistics with other exceptions",
       {.groups = {{.variables = {"*"}, .frozen = true, .statistics = true}}});
  says("every variable is frozen", {.groups = {{.variables = {"*"}, .frozen = true}}});
  says("Clipping::norm is -2. Give a number of at least 0", {.clipping = {.norm = -2.0F}});
  says("Give at most one of them", {.clipping = {.value = 1.0F, .global_norm = 1.0F}});
  EXPECT_EQ(error_of({.groups = {{.variables = {"a/kernel", "a/*"}, .frozen = true}}}), "");
}

TEST(UpdatePlan, PatternsFitWholeNames) {
  EXPECT_TRUE(matches("dense/bias", "dense/bias"));
  EXPECT_FALSE(matches("dense/bias", "dense/bias2"));
  EXPECT_FALSE(matches("dense/bias", "my_dense/bias"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("*bias", "dense/bias"));
  EXPECT_TRUE(matches("*bias", "bias/bias"));
  EXPECT_TRUE(matches("a*b*c", "a-b-b-c"));
  EXPECT_FALSE(matches("a*b*c", "a-b-c-d"));
  EXPECT_TRUE(matches("dense**", "dense"));
  EXPECT_FALSE(matches("", "dense"));
}

TEST(UpdatePlan, TextNamesEveryRule) {
  EXPECT_EQ(to_string(UpdateRules{}), "");
  EXPECT_EQ(to_string(UpdateRules{
                .clipping = {.norm = 1.5F},
                .groups = {{.variables = {"a", "b*"}, .learning_rate_factor = 0.5F},
                           {.variables = {"c"}, .weight_decay = false, .frozen = true}}}),
            "clipping norm 1.5, {a, b*: learning_rate_factor 0.5}, {c: frozen, no weight decay}");
}

}  // namespace
}  // namespace dtrain::inline v0::compute
