// What callbacks decide, on several workers and servers.
#include <gtest/gtest.h>

#include "base/mutex.h"
#include "strategy/checkpoint_fixture.h"
#include "strategy/cluster_harness.h"

namespace dtrain::inline v0 {
namespace {

/// Without dropout, so that workers and one process agree closely.
Model small(const Strategy& strategy) {
  Model model = strategy.build(
      {.input_shape = {4}, .layers = {Dense{8, Activation::kTanh}, Dense{2}}}, {.seed = 3});
  model.compile({.optimizer = Sgd{.learning_rate = 0.5F},
                 .loss = SparseCategoricalCrossentropy{.from_logits = true},
                 .metrics = {"accuracy", "sparse_top_k_categorical_accuracy"}});
  return model;
}

FitOptions quiet(int epochs) {
  return {.epochs = epochs, .batch_size = 8, .verbosity = Verbosity::kSilent};
}

void expect_near(const std::vector<float>& ours, const std::vector<float>& alone) {
  ASSERT_EQ(ours.size(), alone.size());
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], alone[i], 1e-5) << i;
}

TEST(FitCluster, ARateThatCallbacksSetReachesEveryServerAtOneStep) {
  FitOptions options = quiet(4);
  options.callbacks = {LearningRateScheduler{
      [](int epoch, double rate) { return epoch % 2 == 0 ? rate : rate / 4; }}};
  Model single = small(Strategy::local());
  const History alone = single.fit(separable_points(), options);
  for (const int servers : {1, 3}) {
    const auto errors = run_cluster(2, servers, [&](Cluster& cluster) {
      Model model = small(Strategy::parameter_server(cluster));
      const History history = model.fit(separable_points(), options);
      EXPECT_EQ(history.history.at("learning_rate"), alone.history.at("learning_rate"));
      expect_near(all_values(model), all_values(single));
    });
    EXPECT_TRUE(errors.empty()) << errors.begin()->second;
  }
}

TEST(FitCluster, WithoutOrderAmongWorkersTheRateIsSetTooAndAllGoOn) {
  FitOptions options = quiet(3);
  options.callbacks = {
      LearningRateScheduler{[](int epoch, double) { return epoch == 0 ? 0.05 : 0.0; }}};
  base::Mutex mutex;
  std::vector<std::vector<float>> last;
  const auto errors = run_cluster(2, 2, [&](Cluster& cluster) {
    Model model = small(Strategy::parameter_server(cluster, {.consistency = Asynchronous{}}));
    std::vector<float> after_first;
    FitOptions mine = options;
    mine.on_epoch_end = [&](int epoch, const Logs& /*logs*/) {
      // With a rate of 0 nothing moves any more.
      const Logs now = model.evaluate(separable_points());
      if (epoch == 0) after_first = all_values(model);
      return now.empty();
    };
    model.fit(separable_points(), mine);
    EXPECT_EQ(all_values(model), after_first);
    base::MutexLock lock(mutex);
    last.push_back(all_values(model));
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
  ASSERT_EQ(last.size(), 2U);
  EXPECT_EQ(last[0], last[1]);
}

TEST(FitCluster, TheChiefsWordStopsAllAndItsBestVariablesBecomeEveryones) {
  /// Only the chief finds that things get worse.
  struct Pretender final : Callback {
    void on_epoch_end(FitSession& session, int epoch, Logs& logs) override {
      if (epoch == 1) best = all_values(session.model());
      logs["loss"] = session.is_chief() && epoch > 1 ? 9.0 : 1.0 - epoch;
    }
    std::vector<float> best;
  };
  base::Mutex mutex;
  std::vector<std::vector<float>> last;
  std::vector<float> best;
  const auto errors = run_cluster(3, 2, [&](Cluster& cluster) {
    const auto pretender = std::make_shared<Pretender>();
    FitOptions options = quiet(10);
    options.callbacks = {
        pretender, EarlyStopping{.monitor = "loss", .patience = 1, .restore_best_weights = true}};
    Model model = small(Strategy::parameter_server(cluster));
    const History history = model.fit(separable_points(), options);
    EXPECT_EQ(history.epoch, (std::vector<int>{0, 1, 2}));
    base::MutexLock lock(mutex);
    last.push_back(all_values(model));
    if (cluster.rank() == 0) best = pretender->best;
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
  ASSERT_EQ(last.size(), 3U);
  for (const auto& values : last) EXPECT_EQ(values, best);
}

TEST(FitCluster, WithinAnEpochARateCannotBeSetBySeveralWorkers) {
  struct Hasty final : Callback {
    void on_batch_end(FitSession& session, std::int64_t /*step*/) override {
      session.set_learning_rate(0.1);
    }
  };
  const auto errors = run_cluster(2, 1, [&](Cluster& cluster) {
    Model model = small(Strategy::parameter_server(cluster));
    FitOptions options = quiet(1);
    options.callbacks = {std::make_shared<Hasty>()};
    EXPECT_NE(error_of([&] {
                model.fit(separable_points(), options);
              }).find("within an epoch, but there are several workers"),
              std::string::npos);
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(FitCluster, AMetricOfAllWorkersIsThatOfOneProcess) {
  const auto build_with_auc = [](const Strategy& strategy) {
    Model model = strategy.build({.input_shape = {4}, .layers = {Dense{1, Activation::kSigmoid}}},
                                 {.seed = 3});
    model.compile({.optimizer = "sgd",
                   .loss = "binary_crossentropy",
                   .metrics = {"auc", "precision", "recall", "accuracy"}});
    return model;
  };
  Model single = build_with_auc(Strategy::local());
  const Logs alone = single.evaluate(separable_points());
  EXPECT_GT(alone.at("auc"), 0.0);
  const auto errors = run_cluster(3, 1, [&](Cluster& cluster) {
    Model model = build_with_auc(Strategy::parameter_server(cluster));
    const Logs together = model.evaluate(separable_points(), 4);
    ASSERT_EQ(together.size(), alone.size());
    for (const auto& [name, value] : alone) EXPECT_NEAR(together.at(name), value, 1e-6) << name;
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

}  // namespace
}  // namespace dtrain::inline v0
