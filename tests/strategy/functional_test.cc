// Graphs with running averages, several tables and several outputs, alone and over servers.
#include "dtrain/functional.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/mutex.h"
#include "base/philox.h"
#include "dtrain/dtrain.h"
#include "strategy/cluster_harness.h"

namespace dtrain::inline v0 {
namespace {

Dataset people() {
  base::PhiloxStream random(5);
  std::vector<float> heights, weights, sums;
  std::vector<std::int64_t> towns;
  Strings jobs;
  std::vector<std::int32_t> classes;
  for (int i = 0; i < 90; ++i) {
    heights.push_back(2.0F * random.uniform());
    heights.push_back(random.uniform());
    towns.push_back(static_cast<std::int64_t>(random.below(9)));
    jobs.add(random.below(2) == 0 ? "cook" : "smith");
    sums.push_back(heights[heights.size() - 2] + static_cast<float>(towns.back()) / 9.0F);
    classes.push_back(sums.back() > 1.5F ? 1 : 0);
    weights.push_back(0.5F + random.uniform());
  }
  return Dataset::from_columns({.features = {{.name = "town", .values = towns},
                                             {.name = "size", .values = heights, .shape = {2}},
                                             {.name = "job", .values = std::move(jobs)}},
                                .targets = {{.name = "tall", .values = classes, .shape = {}},
                                            {.name = "sum", .values = sums}},
                                .weights = weights});
}

Functional description() {
  Functional model;
  const auto size = model.input({.shape = {2}, .name = "size"});
  const auto job = model.input({.shape = {1}, .dtype = DType::kString, .name = "job"});
  const auto town = model.input({.shape = {1}, .dtype = DType::kInt64, .name = "town"});
  const auto id = model.add(StringLookup{.vocabulary = {"smith", "cook"}}, {job});
  const auto jobs = model.add(EmbeddingBag{.input_dim = 3, .output_dim = 2, .name = "jobs"}, {id});
  const auto towns =
      model.add(EmbeddingBag{.input_dim = 9, .output_dim = 3, .name = "towns"}, {town});
  const auto normal = model.add(BatchNormalization{.momentum = 0.8F, .name = "norm"}, {size});
  auto hidden = model.add(Concatenate{}, {jobs, towns, normal});
  hidden = model.add(Dense{.units = 6,
                           .activation = Activation::kTanh,
                           .kernel_regularizer = {.l2 = 0.001F},
                           .name = "hidden"},
                     {hidden});
  model.output(model.add(Dense{.units = 2, .name = "logits"}, {hidden}), "tall");
  model.output(model.add(Dense{.units = 1, .name = "number"}, {hidden}), "sum");
  return model;
}

Model build(const Strategy& strategy) {
  Model model = strategy.build(description(), {.seed = 3});
  model.compile({.optimizer = Adam{.learning_rate = 0.01F},
                 .rules = {.clipping = {.value = 0.1F}},  // norms do not see tables
                 .outputs = {{.output = "sum", .loss = "mse", .loss_weight = 0.5F},
                             {.output = "tall",
                              .loss = SparseCategoricalCrossentropy{.from_logits = true},
                              .metrics = {"accuracy"}}}});
  return model;
}

struct Result {
  History history;
  std::map<std::string, std::vector<float>> variables;
  std::vector<std::vector<float>> outputs;
};

Result train(Model model) {
  const Dataset data = people();
  Result result;
  result.history =
      model.fit(data, {.epochs = 6, .batch_size = 30, .verbosity = Verbosity::kSilent});
  for (const std::string& name : model.variable_names()) {
    result.variables[name] = model.variable(name);
  }
  result.outputs = model.predict_all(data);
  return result;
}

Result train_on_cluster(int workers, int servers) {
  base::Mutex mutex;
  Result result;
  const auto errors = run_cluster(workers, servers, [&](Cluster& cluster) {
    Result own =
        train(build(Strategy::parameter_server(cluster, {.row_updates = RowUpdates::kDense})));
    base::MutexLock lock(mutex);
    if (cluster.is_chief()) result = std::move(own);
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
  return result;
}

TEST(FunctionalStrategy, ItLearnsAndSaysHowEachOutputDoes) {
  const Result alone = train(build(Strategy::local()));
  const auto& history = alone.history.history;
  for (const char* name : {"loss", "tall_loss", "sum_loss", "tall_accuracy"}) {
    ASSERT_TRUE(history.contains(name)) << name;
  }
  EXPECT_LT(history.at("loss").back(), 0.8 * history.at("loss").front());
  EXPECT_GT(history.at("loss").back(),
            history.at("tall_loss").back() + 0.5 * history.at("sum_loss").back())
      << "and what the regularizer adds";
  // The batches' means have been taken into the running averages.
  EXPECT_NEAR(alone.variables.at("norm/moving_mean")[0], 1.0, 0.25);
  EXPECT_NEAR(alone.variables.at("norm/moving_variance")[1], 1.0 / 12, 0.06);
}

TEST(FunctionalStrategy, OneWorkerAndServersGiveTheSingleProcessesModel) {
  const Result alone = train(build(Strategy::local()));
  for (const int servers : {1, 3}) {
    const Result cluster = train_on_cluster(1, servers);
    ASSERT_EQ(cluster.variables.size(), alone.variables.size());
    for (const auto& [name, values] : alone.variables) {
      const bool is_table = name == "jobs/embeddings" || name == "towns/embeddings";
      if (is_table) continue;  // drawn on the servers, from the same numbers
      for (std::size_t i = 0; i < values.size(); ++i) {
        EXPECT_NEAR(cluster.variables.at(name)[i], values[i], 2e-4) << name;
      }
    }
  }
}

TEST(FunctionalStrategy, AnyNumberOfServersGivesTheSameBits) {
  const Result one = train_on_cluster(2, 1);
  const Result three = train_on_cluster(2, 3);
  EXPECT_EQ(one.variables, three.variables);
  EXPECT_EQ(one.outputs, three.outputs);
}

TEST(FunctionalStrategy, WhatDoesNotMeetIsNamed) {
  Model model = Strategy::local().build(description());
  const auto error_of = [](const auto& call) {
    try {
      call();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const auto has = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(error_of([&] { model.compile({.outputs = {{.output = "sum", .loss = "mse"}}}); }),
      "CompileOptions::outputs has nothing for the output \"tall\". Give one for each output: "
      "tall, sum");
  model.compile({.loss = "mse"});
  has(error_of([&] { (void)model.predict(people()); }), "Call predict_all()");
  const std::vector<float> features(4);
  has(error_of([&] { (void)model.predict_all(Dataset::from_memory(features, {2})); }), "size");
  has(model.summary(), "towns");
}

}  // namespace
}  // namespace dtrain::inline v0
