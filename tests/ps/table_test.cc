#include "ps/table.h"

#include <gtest/gtest.h>

#include <functional>

namespace dtrain::inline v0::ps {
namespace {

Table example() {
  return {.layout = tensor::Layout::plan(
              {{.name = "dense/kernel", .shape = {4, 3}}, {.name = "dense/bias", .shape = {3}}}),
          .optimizer = Adam{.learning_rate = 0.01F},
          .consistency = Asynchronous{},
          .workers = 3,
          .servers = 2,
          .row_tables = {{.name = "users",
                          .rows = 1000,
                          .width = 4,
                          .initializer = RandomNormal{.mean = 1.0F, .stddev = 0.5F, .seed = 9},
                          .updates = RowUpdates::kDense,
                          .seed = 3}}};
}

TEST(Table, SurvivesTheWire) {
  auto parsed = from_proto(to_proto(example()));
  ASSERT_TRUE(parsed.ok()) << parsed.error().what();
  EXPECT_EQ(difference(to_proto(example()), to_proto(parsed.value())), "");
  EXPECT_EQ(parsed.value().layout.count(), example().layout.count());
  EXPECT_FALSE(parsed.value().synchronous());
}

TEST(Table, EveryOptimizerAndScheduleSurvivesTheWire) {
  const Optimizer optimizers[] = {
      Sgd{.learning_rate = 0.5F, .momentum = 0.5F, .nesterov = true, .weight_decay = 0.1F},
      Adagrad{.initial_accumulator_value = 0.2F, .epsilon = 0.3F, .weight_decay = 0.1F},
      Adadelta{.rho = 0.2F, .epsilon = 0.3F, .weight_decay = 0.1F},
      RmsProp{
          .rho = 0.2F, .momentum = 0.3F, .epsilon = 0.4F, .centered = true, .weight_decay = 0.1F},
      Adam{.beta_1 = 0.2F, .beta_2 = 0.3F, .epsilon = 0.4F, .amsgrad = true, .weight_decay = 0.1F},
      AdamW{.beta_1 = 0.2F, .beta_2 = 0.3F, .epsilon = 0.4F, .amsgrad = true, .weight_decay = 0.1F},
      Adamax{.beta_1 = 0.2F, .beta_2 = 0.3F, .epsilon = 0.4F, .weight_decay = 0.1F},
      Nadam{.beta_1 = 0.2F, .beta_2 = 0.3F, .epsilon = 0.4F, .weight_decay = 0.1F},
      Ftrl{.learning_rate_power = -0.2F,
           .initial_accumulator_value = 0.3F,
           .l1_regularization_strength = 0.4F,
           .l2_regularization_strength = 0.5F,
           .l2_shrinkage_regularization_strength = 0.6F,
           .beta = 0.7F,
           .weight_decay = 0.8F},
      Lion{.beta_1 = 0.2F, .beta_2 = 0.3F, .weight_decay = 0.1F},
      Sgd{.learning_rate = ExponentialDecay{0.1F, 2, 0.3F, true}},
      Adam{.learning_rate = PiecewiseConstantDecay{{3, 5}, {0.1F, 0.2F, 0.3F}}},
      Sgd{.learning_rate = PolynomialDecay{0.1F, 2, 0.3F, 0.4F, true}},
      Sgd{.learning_rate = InverseTimeDecay{0.1F, 2, 0.3F, true}},
      Sgd{.learning_rate = CosineDecay{0.1F, 2, 0.3F, 0.4F, 5}},
      Sgd{.learning_rate = CosineDecay{0.1F, 2}},
      Sgd{.learning_rate = CosineDecayRestarts{0.1F, 2, 3.0F, 0.4F, 0.5F}},
  };
  for (const Optimizer& optimizer : optimizers) {
    Table table = example();
    table.optimizer = optimizer;
    const auto parsed = from_proto(to_proto(table));
    ASSERT_TRUE(parsed.ok()) << parsed.error().what();
    EXPECT_EQ(parsed.value().optimizer, optimizer) << to_string(parsed.value().optimizer);
  }
}

TEST(Table, UpdateRulesSurviveTheWire) {
  Table table = example();
  table.row_tables.clear();  // no norm sees their gradients
  table.rules = {.clipping = {.global_norm = 2.0F},
                 .groups = {{.variables = {"*/bias"}, .learning_rate_factor = 0.5F},
                            {.variables = {"dense/k*"}, .weight_decay = false}}};
  const auto parsed = from_proto(to_proto(table));
  ASSERT_TRUE(parsed.ok()) << parsed.error().what();
  EXPECT_EQ(parsed.value().rules, table.rules);
}

TEST(Table, RowTablesSurviveTheWireWithEveryInitializer) {
  const Initializer initializers[] = {
      Zeros{},
      Ones{},
      Constant{2.0F},
      RandomUniform{.minval = 0.0F, .seed = 7},
      RandomNormal{},
      TruncatedNormal{.stddev = 2.0F},
      GlorotUniform{.seed = 1},
      GlorotNormal{},
      HeUniform{},
      HeNormal{},
      LecunUniform{},
      LecunNormal{.seed = 0},
      VarianceScaling{2.0F, FanMode::kFanAvg, ScaledDistribution::kUniform, 5},
      Identity{.gain = 3.0F}};
  for (const Initializer& initializer : initializers) {
    Table table = example();
    table.row_tables[0].initializer = initializer;
    auto parsed = from_proto(to_proto(table));
    ASSERT_TRUE(parsed.ok()) << parsed.error().what();
    EXPECT_EQ(parsed.value().row_tables[0].initializer, initializer);
    EXPECT_EQ(parsed.value().row_tables[0].updates, RowUpdates::kDense);
    EXPECT_EQ(parsed.value().row_tables[0].seed, 3U);
  }
}

struct Change {
  const char* says;
  std::function<void(pb::Table&)> change;
};

TEST(Table, TheFirstDifferenceIsNamed) {
  const Change changes[] = {
      {"variable 1 is \"dense/offset\" (3,), not \"dense/bias\" (3,)",
       [](pb::Table& t) { t.mutable_variables(1)->set_name("dense/offset"); }},
      {"variable 0 is \"dense/kernel\" (5, 3), not \"dense/kernel\" (4, 3)",
       [](pb::Table& t) { t.mutable_variables(0)->set_shape(0, 5); }},
      {"variable 0 is \"dense/kernel\" (4, 3), gradients in bf16, not",
       [](pb::Table& t) { t.mutable_variables(0)->set_gradient_type(pb::BFLOAT16); }},
      {"consistency bounded staleness 3, not asynchronous",
       [](pb::Table& t) {
         t.set_consistency(pb::BOUNDED_STALENESS);
         t.set_staleness(3);
       }},
      {"consistency synchronous with backup_workers 1, not asynchronous",
       [](pb::Table& t) {
         t.set_consistency(pb::SYNCHRONOUS);
         t.set_backup_workers(1);
       }},
      {"1 variables, not 2", [](pb::Table& t) { t.mutable_variables()->RemoveLast(); }},
      {"row table 0 is \"items\" (1000, 4), dense updates, not \"users\" (1000, 4), dense",
       [](pb::Table& t) { t.mutable_row_tables(0)->set_name("items"); }},
      {"another initializer or seed",
       [](pb::Table& t) { t.mutable_row_tables(0)->mutable_initializer()->set_seed(8); }},
      {"0 row tables, not 1", [](pb::Table& t) { t.clear_row_tables(); }},
      {"optimizer", [](pb::Table& t) { t.mutable_optimizer()->mutable_sgd(); }},
      {"update rules {*/bias: frozen}, not none",
       [](pb::Table& t) {
         pb::ParameterGroup& group = *t.add_groups();
         group.add_variables("*/bias");
         group.set_learning_rate_factor(1.0F);
         group.set_weight_decay(true);
         group.set_frozen(true);
       }},
      {"update rules clipping norm 2, not none",
       [](pb::Table& t) { t.mutable_clipping()->set_norm(2.0F); }},
      {"consistency synchronous, not asynchronous",
       [](pb::Table& t) { t.set_consistency(pb::SYNCHRONOUS); }},
      {"4 workers, not 3", [](pb::Table& t) { t.set_workers(4); }},
      {"9 servers, not 2", [](pb::Table& t) { t.set_servers(9); }},
      {"chunks of 64 elements", [](pb::Table& t) { t.set_chunk_elements(64); }},
  };
  for (const Change& change : changes) {
    pb::Table other = to_proto(example());
    change.change(other);
    EXPECT_NE(difference(to_proto(example()), other).find(change.says), std::string::npos)
        << difference(to_proto(example()), other);
  }
}

TEST(Table, WhatCannotBeServedIsRefusedWithAReason) {
  const Change changes[] = {
      {"no variable",
       [](pb::Table& t) {
         t.clear_variables();
         t.clear_row_tables();
       }},
      {"row table 0 is named \"dense/bias\"",
       [](pb::Table& t) { t.mutable_row_tables(0)->set_name("dense/bias"); }},
      {"row table 0 is named \"\"", [](pb::Table& t) { t.mutable_row_tables(0)->clear_name(); }},
      {"it has 0 rows of 4 elements", [](pb::Table& t) { t.mutable_row_tables(0)->set_rows(0); }},
      {"a row table with a size of 18446744073709551615",
       [](pb::Table& t) { t.mutable_row_tables(0)->set_rows(~std::uint64_t{0}); }},
      {"more than memory can address",
       [](pb::Table& t) { t.mutable_row_tables(0)->set_rows(std::uint64_t{1} << 62); }},
      {"does not fit into a chunk",
       [](pb::Table& t) { t.mutable_row_tables(0)->set_width(std::uint64_t{1} << 20); }},
      {"initializer of a row table is unknown",
       [](pb::Table& t) { t.mutable_row_tables(0)->mutable_initializer()->set_kind(99); }},
      {"RandomNormal::stddev is -1",
       [](pb::Table& t) { t.mutable_row_tables(0)->mutable_initializer()->set_second(-1); }},
      {"row updates are unknown",
       [](pb::Table& t) {
         t.mutable_row_tables(0)->set_updates(pb::RowTable::UPDATES_UNSPECIFIED);
       }},
      {"empty name", [](pb::Table& t) { t.mutable_variables(0)->clear_name(); }},
      {"two variables are named",
       [](pb::Table& t) { t.mutable_variables(0)->set_name("dense/bias"); }},
      {"size below 1", [](pb::Table& t) { t.mutable_variables(0)->set_shape(0, -1); }},
      {"too many elements",
       [](pb::Table& t) { t.mutable_variables(0)->set_shape(0, std::int64_t{1} << 62); }},
      {"optimizer is unknown", [](pb::Table& t) { t.clear_optimizer(); }},
      {"beta_1", [](pb::Table& t) { t.mutable_optimizer()->mutable_adam()->set_beta_1(2.0F); }},
      {"schedule is unknown", [](pb::Table& t) { t.mutable_optimizer()->mutable_schedule(); }},
      {"decay_steps",
       [](pb::Table& t) { t.mutable_optimizer()->mutable_schedule()->mutable_cosine(); }},
      {"values has 0 numbers",
       [](pb::Table& t) {
         t.mutable_optimizer()->mutable_schedule()->mutable_piecewise_constant();
       }},
      {"Clipping::value is -1", [](pb::Table& t) { t.mutable_clipping()->set_value(-1.0F); }},
      {"groups[0] names no variable", [](pb::Table& t) { t.add_groups(); }},
      {"matches no variable", [](pb::Table& t) { t.add_groups()->add_variables("x"); }},
      {"consistency is unknown", [](pb::Table& t) { t.clear_consistency(); }},
      {"0 workers", [](pb::Table& t) { t.clear_workers(); }},
      {"servers", [](pb::Table& t) { t.set_servers(1'000'000); }},
      {"chunks of 0", [](pb::Table& t) { t.clear_chunk_elements(); }},
  };
  for (const Change& change : changes) {
    pb::Table other = to_proto(example());
    change.change(other);
    auto parsed = from_proto(other);
    ASSERT_FALSE(parsed.ok()) << change.says;
    EXPECT_NE(std::string(parsed.error().what()).find(change.says), std::string::npos)
        << parsed.error().what();
  }
}

TEST(Table, RangesFromTheWireStayInsideTheSlice) {
  const auto parse = [](std::vector<Range> ranges) {
    pb::Begin begin;
    add_ranges(ranges, begin);
    return parse_ranges(begin, {100, 50}).ok();
  };
  EXPECT_TRUE(parse({}));
  EXPECT_TRUE(parse({{100, 50}}));
  EXPECT_TRUE(parse({{100, 1}, {149, 1}}));
  EXPECT_FALSE(parse({{99, 2}}));
  EXPECT_FALSE(parse({{149, 2}}));
  EXPECT_FALSE(parse({{110, 5}, {112, 5}}));
  EXPECT_FALSE(parse({{120, 5}, {110, 5}}));
  EXPECT_FALSE(parse({{110, 0}}));
  EXPECT_FALSE(parse({{101, ~std::size_t{0}}}));
}

}  // namespace
}  // namespace dtrain::inline v0::ps
