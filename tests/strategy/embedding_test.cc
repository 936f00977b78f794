// A model with an embedding, alone and over servers.
#include <gtest/gtest.h>

#include <cmath>

#include "base/mutex.h"
#include "base/philox.h"
#include "dtrain/dtrain.h"
#include "strategy/cluster_harness.h"

namespace dtrain::inline v0 {
namespace {

constexpr std::int64_t kIds = 50;

/// Two ids to a number that depends on both; ids from 40 on never occur.
Dataset ratings() {
  base::PhiloxStream random(3);
  std::vector<std::int64_t> ids;
  std::vector<float> targets;
  for (int i = 0; i < 150; ++i) {
    ids.push_back(static_cast<std::int64_t>(random.below(20)));
    ids.push_back(static_cast<std::int64_t>(20 + random.below(20)));
    targets.push_back(std::sin(static_cast<float>(ids[ids.size() - 2] * ids.back())));
  }
  return Dataset::from_memory(ids, {2}, targets);
}

Model build(const Strategy& strategy, const Optimizer& optimizer) {
  Model model = strategy.build({.input_shape = {2},
                                .layers = {Embedding{.input_dim = kIds, .output_dim = 4}, Flatten{},
                                           Dense{8, Activation::kTanh}, Dense{1}}},
                               {.seed = 11});
  model.compile({.optimizer = optimizer, .loss = MeanSquaredError{}});
  return model;
}

struct Result {
  std::vector<double> losses;
  std::vector<float> table;
  std::vector<float> predictions;
};

Result train(Model model) {
  const Dataset data = ratings();
  const History history =
      model.fit(data, {.epochs = 5, .batch_size = 32, .verbosity = Verbosity::kSilent});
  EXPECT_NEAR(model.evaluate(data).at("loss"), model.evaluate(data, 7).at("loss"), 1e-6);
  return {history.history.at("loss"), model.variable("embedding/embeddings"), model.predict(data)};
}

Result train_on_cluster(int workers, int servers, const Optimizer& optimizer, RowUpdates updates) {
  base::Mutex mutex;
  Result result;
  const auto errors = run_cluster(workers, servers, [&](Cluster& cluster) {
    Result own =
        train(build(Strategy::parameter_server(cluster, {.row_updates = updates}), optimizer));
    base::MutexLock lock(mutex);
    if (cluster.is_chief()) result = std::move(own);
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
  return result;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], wanted[i], 1e-5) << i;
}

TEST(EmbeddingStrategy, DenseUpdatesTrainAsOneProcessDoes) {
  for (const Optimizer& optimizer :
       {Optimizer(Sgd{.learning_rate = 0.1F, .momentum = 0.9F}), Optimizer(Adam{})}) {
    const Result local = train(build(Strategy::local(), optimizer));
    const Result cluster = train_on_cluster(2, 2, optimizer, RowUpdates::kDense);
    ASSERT_EQ(cluster.losses.size(), local.losses.size());
    for (std::size_t i = 0; i < local.losses.size(); ++i) {
      EXPECT_NEAR(cluster.losses[i], local.losses[i], 1e-5 * local.losses[i]) << "epoch " << i;
    }
    expect_near(cluster.table, local.table);
    expect_near(cluster.predictions, local.predictions);
    EXPECT_LT(local.losses.back(), local.losses.front());
  }
}

TEST(EmbeddingStrategy, BitsDoNotDependOnTheNumberOfServers) {
  for (const RowUpdates updates : {RowUpdates::kDense, RowUpdates::kLazy}) {
    const Result one = train_on_cluster(2, 1, Adam{}, updates);
    for (const int servers : {2, 5}) {
      const Result more = train_on_cluster(2, servers, Adam{}, updates);
      EXPECT_EQ(more.table, one.table);
      EXPECT_EQ(more.losses, one.losses);
    }
  }
}

TEST(EmbeddingStrategy, LazyUpdatesLeaveIdsThatNeverOccur) {
  const Model fresh = build(Strategy::local(), Adam{});
  const std::vector<float> first = fresh.variable("embedding/embeddings");
  const Result lazy = train_on_cluster(1, 2, Adam{}, RowUpdates::kLazy);
  for (std::size_t i = 40 * 4; i < 50 * 4; ++i) EXPECT_EQ(lazy.table[i], first[i]);
  EXPECT_NE(lazy.table, first);
}

TEST(EmbeddingStrategy, AsynchronousWorkersLearnTheSameTable) {
  base::Mutex mutex;
  std::vector<std::vector<float>> tables;
  const auto errors = run_cluster(2, 2, [&](Cluster& cluster) {
    Model model = build(Strategy::parameter_server(cluster, {.consistency = Asynchronous{}}),
                        Adam{.learning_rate = 0.01F});
    const Dataset data = ratings();
    const double before = model.evaluate(data).at("loss");
    model.fit(data, {.epochs = 20, .batch_size = 16, .verbosity = Verbosity::kSilent});
    EXPECT_LT(model.evaluate(data).at("loss"), 0.7 * before);
    base::MutexLock lock(mutex);
    tables.push_back(model.variable("embedding/embeddings"));
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
  ASSERT_EQ(tables.size(), 2U);
  EXPECT_EQ(tables[0], tables[1]);
}

TEST(EmbeddingStrategy, TheModelKnowsTheTableThatItDoesNotHold) {
  const auto errors = run_cluster(1, 1, [](Cluster& cluster) {
    const Strategy strategy = Strategy::parameter_server(cluster);
    const Sequential description{
        .input_shape = {2},
        .layers = {Embedding{.input_dim = kIds, .output_dim = 4}, Flatten{}, Dense{1}}};
    Model model = strategy.build(description);
    const Model local = Strategy::local().build(description);
    EXPECT_EQ(model.variable_names(), local.variable_names());
    EXPECT_EQ(model.variable_names().front(), "embedding/embeddings");
    EXPECT_EQ(model.variable_shape("embedding/embeddings"), (Shape{kIds, 4}));
    EXPECT_EQ(model.parameter_count(), local.parameter_count());
    EXPECT_EQ(model.summary(), local.summary());
    EXPECT_NE(error_of([&] { model.variable("embedding/embeddings"); }).find("compile() first"),
              std::string::npos);
    EXPECT_NE(error_of([&] {
                model.set_variable("embedding/embeddings", std::vector<float>(kIds * 4));
              }).find("is a table of rows on the parameter servers"),
              std::string::npos);
    model.compile({.optimizer = Sgd{}});
    EXPECT_EQ(model.variable("embedding/embeddings"), local.variable("embedding/embeddings"));
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(Embedding, GroupsThatNameATableOnServersAreRefused) {
  const auto errors = run_cluster(1, 1, [](Cluster& cluster) {
    Model model = Strategy::parameter_server(cluster).build(
        {.input_shape = {2}, .layers = {Embedding{.input_dim = 9, .output_dim = 2}, Dense{1}}});
    const std::string error = error_of([&] {
      model.compile({.optimizer = AdamW{},
                     .loss = MeanSquaredError{},
                     .rules = {.groups = {{.variables = {"*"}, .weight_decay = false}}}});
    });
    EXPECT_NE(error.find("\"*\" of a parameter group names the row table "
                         "\"embedding/embeddings\""),
              std::string::npos)
        << error;
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

}  // namespace
}  // namespace dtrain::inline v0
