#include <gtest/gtest.h>

#include "base/mutex.h"
#include "dtrain/dtrain.h"
#include "strategy/cluster_harness.h"

namespace dtrain::inline v0 {
namespace {

Dataset line(std::size_t examples) {
  std::vector<float> x(examples);
  std::vector<float> y(examples);
  for (std::size_t i = 0; i < examples; ++i) {
    x[i] = static_cast<float>(i) / static_cast<float>(examples);
    y[i] = 2.0F * x[i] + 1.0F;
  }
  return Dataset::from_memory(x, {1}, y, {1});
}

Model build(const Strategy& strategy, float learning_rate = 0.5F) {
  Model model = strategy.build({.input_shape = {1}, .layers = {Dense{1}}});
  model.compile({.optimizer = Sgd{.learning_rate = learning_rate},
                 .loss = MeanSquaredError{},
                 .metrics = {"mean_absolute_error"}});
  return model;
}

TEST(ParameterServerStrategy, UnevenBatchesAndIdleWorkersGiveTheSingleProcessesModel) {
  // 10 examples in batches of 4: the last step has 2 examples for 3 workers.
  const FitOptions options{.epochs = 20, .batch_size = 4, .verbosity = Verbosity::kSilent};
  Model single = build(Strategy::local());
  const History expected = single.fit(line(10), options);
  base::Mutex mutex;
  std::vector<History> histories;
  const auto errors = run_cluster(3, 2, [&](Cluster& cluster) {
    Model model = build(Strategy::parameter_server(cluster));
    const History history = model.fit(line(10), options);
    EXPECT_NEAR(model.variable("dense/kernel")[0], single.variable("dense/kernel")[0], 1e-5);
    EXPECT_NEAR(model.variable("dense/bias")[0], single.variable("dense/bias")[0], 1e-5);
    base::MutexLock lock(mutex);
    histories.push_back(history);
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
  ASSERT_EQ(histories.size(), 3U);
  for (const History& history : histories) {
    EXPECT_EQ(history.steps, expected.steps);
    EXPECT_NEAR(history.history.at("loss").back(), expected.history.at("loss").back(), 1e-6);
  }
}

/// Two layers, the first one frozen, with everything that rules can say.
Model build_with_rules(const Strategy& strategy, const Clipping& clipping) {
  Model model = strategy.build(
      {.input_shape = {1},
       .layers = {Dense{5, Activation::kTanh}, Dense{3, Activation::kTanh}, Dense{1}}});
  model.compile({.optimizer = AdamW{.learning_rate = CosineDecay{.initial_learning_rate = 0.0F,
                                                                 .decay_steps = 30,
                                                                 .warmup_target = 0.1F,
                                                                 .warmup_steps = 5}},
                 .loss = MeanSquaredError{},
                 .rules = {.clipping = clipping,
                           .groups = {{.variables = {"dense/*"}, .frozen = true},
                                      {.variables = {"dense_2/*"}, .learning_rate_factor = 0.5F},
                                      {.variables = {"dense_1/bias"}, .weight_decay = false}}}});
  return model;
}

TEST(ParameterServerStrategy, RulesHaveTheSameMeaningInOneProcessAndInAClusterOfAnySize) {
  const FitOptions options{.epochs = 10, .batch_size = 4, .verbosity = Verbosity::kSilent};
  for (const Clipping& clipping : {Clipping{}, Clipping{.value = 0.01F}, Clipping{.norm = 0.05F},
                                   Clipping{.global_norm = 0.05F}}) {
    Model single = build_with_rules(Strategy::local(), clipping);
    const std::vector<float> frozen = single.variable("dense/kernel");
    single.fit(line(10), options);
    EXPECT_EQ(single.variable("dense/kernel"), frozen);
    base::Mutex mutex;
    std::map<int, std::vector<float>> by_servers;
    for (const int servers : {1, 2, 5}) {
      const auto errors = run_cluster(2, servers, [&](Cluster& cluster) {
        Model model = build_with_rules(Strategy::parameter_server(cluster), clipping);
        model.fit(line(10), options);
        EXPECT_EQ(model.variable("dense/kernel"), frozen);
        std::vector<float> all;
        for (const std::string& name : model.variable_names()) {
          const std::vector<float> ours = model.variable(name), alone = single.variable(name);
          for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], alone[i], 1e-5);
          all.insert(all.end(), ours.begin(), ours.end());
        }
        base::MutexLock lock(mutex);
        by_servers[servers] = all;
      });
      EXPECT_TRUE(errors.empty()) << errors.begin()->second;
    }
    EXPECT_EQ(by_servers[1], by_servers[2]);
    EXPECT_EQ(by_servers[1], by_servers[5]);
  }
}

TEST(ParameterServerStrategy, RulesThatDoNotFitTheModelAreRefusedByCompile) {
  const auto error = [](const Strategy& strategy) {
    Model model = strategy.build({.input_shape = {1}, .layers = {Dense{1}}});
    const std::string refused = error_of(
        [&] { model.compile({.rules = {.groups = {{.variables = {"conv/*"}, .frozen = true}}}}); });
    EXPECT_NE(error_of([&] { model.fit(line(4)); }).find("not compiled"), std::string::npos);
    return refused;
  };
  const char* says = "\"conv/*\" of a parameter group matches no variable";
  EXPECT_NE(error(Strategy::local()).find(says), std::string::npos);
  const auto errors = run_cluster(1, 1, [&](Cluster& cluster) {
    EXPECT_NE(error(Strategy::parameter_server(cluster)).find(says), std::string::npos);
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterServerStrategy, AsynchronousWorkersCutTheirOwnBatches) {
  const auto errors = run_cluster(2, 1, [](Cluster& cluster) {
    Model model = build(Strategy::parameter_server(cluster, {.consistency = Asynchronous{}}), 0.1F);
    const History history =
        model.fit(line(10), {.epochs = 100, .batch_size = 4, .verbosity = Verbosity::kSilent});
    EXPECT_EQ(history.steps, 100 * 2) << "5 examples each, in batches of 4 and 1";
    EXPECT_LT(model.evaluate(line(10)).at("loss"), 0.05);
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterServerStrategy, WorkersWithFewerBatchesKeepStepUnderBoundedStaleness) {
  // 9 examples for 2 workers: 5 and 4, in batches of 4. Without the second worker's empty pushes
  // the first would run out of what it may be ahead.
  const auto errors = run_cluster(2, 2, [](Cluster& cluster) {
    Model model =
        build(Strategy::parameter_server(cluster, {.consistency = BoundedStaleness{1}}), 0.1F);
    const History history =
        model.fit(line(9), {.epochs = 100, .batch_size = 4, .verbosity = Verbosity::kSilent});
    EXPECT_EQ(history.steps, 100 * 2);
    EXPECT_LT(model.evaluate(line(9)).at("loss"), 0.05);
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterServerStrategy, BoundedStalenessOfNothingIsTheSynchronousMode) {
  const auto train = [](Consistency consistency) {
    std::vector<float> kernel;
    const auto errors = run_cluster(2, 2, [&](Cluster& cluster) {
      Model model = build(Strategy::parameter_server(cluster, {.consistency = consistency}));
      model.fit(line(10), {.epochs = 5, .batch_size = 4, .verbosity = Verbosity::kSilent});
      if (cluster.is_chief()) kernel = model.variable("dense/kernel");
    });
    EXPECT_TRUE(errors.empty()) << errors.begin()->second;
    return kernel;
  };
  EXPECT_EQ(train(BoundedStaleness{0}), train(Synchronous{}));
}

TEST(ParameterServerStrategy, BackupWorkersEndWithTheOthers) {
  base::Mutex mutex;
  std::vector<std::int64_t> steps;
  const auto errors = run_cluster(3, 2, [&](Cluster& cluster) {
    Model model = build(Strategy::parameter_server(cluster, {.consistency = Synchronous{1}}), 0.1F);
    const History history =
        model.fit(line(12), {.epochs = 60, .batch_size = 4, .verbosity = Verbosity::kSilent});
    EXPECT_LT(model.evaluate(line(12)).at("loss"), 0.1);
    base::MutexLock lock(mutex);
    steps.push_back(history.steps);
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
  EXPECT_EQ(steps, (std::vector<std::int64_t>{180, 180, 180}));
}

TEST(ParameterServerStrategy, AsManyBackupsAsWorkersAreRefused) {
  const auto errors = run_cluster(2, 1, [](Cluster& cluster) {
    const std::string error = error_of(
        [&] { build(Strategy::parameter_server(cluster, {.consistency = Synchronous{2}})); });
    EXPECT_NE(error.find("Synchronous::backup_workers is 2 in a cluster of 2 workers. Give 0 to 1"),
              std::string::npos)
        << error;
    EXPECT_NE(error_of([&] {
                build(Strategy::parameter_server(cluster, {.consistency = BoundedStaleness{-1}}));
              }).find("BoundedStaleness::staleness is -1"),
              std::string::npos);
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterServerStrategy, GradientsMayTravelInSixteenBits) {
  const auto errors = run_cluster(2, 2, [](Cluster& cluster) {
    const ParameterServerOptions options{
        .gradient_type = GradientType::kBFloat16,
        .gradient_types = {{"dense/bias", GradientType::kFloat32}}};
    Model model = build(Strategy::parameter_server(cluster, options));
    model.fit(line(10), {.epochs = 100, .batch_size = 4, .verbosity = Verbosity::kSilent});
    EXPECT_LT(model.evaluate(line(10)).at("loss"), 1e-3);
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
  const auto mistaken = run_cluster(1, 1, [](Cluster& cluster) {
    const ParameterServerOptions options{
        .gradient_types = {{"dense/offset", GradientType::kFloat16}}};
    EXPECT_NE(error_of([&] {
                build(Strategy::parameter_server(cluster, options));
              }).find("\"dense/offset\""),
              std::string::npos);
  });
  EXPECT_TRUE(mistaken.empty()) << mistaken.begin()->second;
}

TEST(ParameterServerStrategy, BackupWorkersAndClippingByNormExcludeEachOther) {
  const auto errors = run_cluster(2, 1, [](Cluster& cluster) {
    Model model = Strategy::parameter_server(cluster, {.consistency = Synchronous{1}})
                      .build({.input_shape = {1}, .layers = {Dense{1}}});
    const std::string error = error_of(
        [&] { model.compile({.optimizer = Sgd{}, .rules = {.clipping = {.global_norm = 1.0F}}}); });
    EXPECT_NE(error.find("together with backup workers"), std::string::npos) << error;
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterServerStrategy, AsynchronousWorkersWithFewerBatchesEndInTheSameEpoch) {
  // 10 and 9 batches an epoch: counted one by one, 19 steps would end in different epochs.
  const auto errors = run_cluster(2, 1, [](Cluster& cluster) {
    Model model = build(Strategy::parameter_server(cluster, {.consistency = Asynchronous{}}), 0.1F);
    const History history = model.fit(
        line(19), {.epochs = 5, .batch_size = 1, .steps_max = 19, .verbosity = Verbosity::kSilent});
    EXPECT_EQ(history.epoch.size(), 2U);
    cluster.barrier("together");
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterServerStrategy, TheChiefsWordStopsEverybodyAtOneStep) {
  base::Mutex mutex;
  std::vector<std::size_t> epochs;
  const auto errors = run_cluster(2, 1, [&](Cluster& cluster) {
    Model model = build(Strategy::parameter_server(cluster));
    const bool chief = cluster.is_chief();
    const History history = model.fit(
        line(10),
        {.epochs = 9, .verbosity = Verbosity::kSilent, .on_epoch_end = [=](int epoch, const Logs&) {
           return chief ? epoch == 2 : epoch == 0;
         }});
    base::MutexLock lock(mutex);
    epochs.push_back(history.epoch.size());
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
  EXPECT_EQ(epochs, (std::vector<std::size_t>{3, 3}));
}

TEST(ParameterServerStrategy, VariablesBelongToTheServersAfterCompile) {
  const auto errors = run_cluster(1, 1, [](Cluster& cluster) {
    Model model =
        Strategy::parameter_server(cluster).build({.input_shape = {1}, .layers = {Dense{1}}});
    model.set_variable("dense/kernel", std::vector<float>{0.25F});
    model.compile({.optimizer = Sgd{}});
    EXPECT_EQ(model.variable("dense/kernel"), std::vector<float>{0.25F});
    EXPECT_NE(error_of([&] {
                model.set_variable("dense/kernel", std::vector<float>{1.0F});
              }).find("is on the parameter servers since compile()"),
              std::string::npos);
    EXPECT_NE(error_of([&] { model.compile({.optimizer = Sgd{}}); }).find("called twice"),
              std::string::npos);
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterServerStrategy, AWorkersOwnErrorEndsTheOthersWithItsWords) {
  const auto errors = run_cluster(2, 1, [](Cluster& cluster) {
    Model model = build(Strategy::parameter_server(cluster));
    if (!cluster.is_chief()) throw Error(ErrorCode::kNotFound, "my data are gone");
    model.fit(line(10), {.epochs = 100'000, .verbosity = Verbosity::kSilent});
  });
  ASSERT_EQ(errors.size(), 3U);
  for (const auto& [task, error] : errors) {
    EXPECT_NE(error.find("my data are gone"), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace dtrain::inline v0
