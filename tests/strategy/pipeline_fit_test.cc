// fit() and evaluate() from pipelines, alone and over servers.
#include <gtest/gtest.h>

#include "strategy/checkpoint_fixture.h"
#include "strategy/cluster_harness.h"
#include "support/temporary_folder.h"

namespace dtrain::inline v0 {
namespace {

Pipeline in_order() { return Pipeline::from_dataset(separable_points()).batch(8); }

/// The order of the data set.
FitOptions quiet(int epochs) {
  return {.epochs = epochs, .batch_size = 8, .shuffle = false, .verbosity = Verbosity::kSilent};
}

template <typename Data>
std::vector<float> values_after(const Data& data, const FitOptions& options) {
  Model model = build(Strategy::local());
  model.fit(data, options);
  return all_values(model);
}

TEST(PipelineFit, ItsBatchesAreThoseOfADataSet) {
  Model expected = build(Strategy::local());
  const History by_data = expected.fit(separable_points(), quiet(3));
  Model model = build(Strategy::local());
  const History history = model.fit(in_order().prefetch(2), quiet(3));
  EXPECT_EQ(all_values(model), all_values(expected));
  EXPECT_EQ(history.history, by_data.history);
  EXPECT_EQ(history.steps, 21);
  EXPECT_EQ(model.evaluate(in_order()), expected.evaluate(separable_points(), 8));
}

TEST(PipelineFit, EpochsOfOtherLengthsGoOnWhereTheLastHasEnded) {
  for (const std::int64_t steps : {1, 5, 7, 20}) {
    FitOptions options = quiet(4);
    options.steps_per_epoch = steps;
    EXPECT_EQ(values_after(in_order(), options), values_after(separable_points(), options))
        << steps;
  }
}

TEST(PipelineFit, AnEndWithinAnEpochAndAtItsEnd) {
  for (const std::int64_t steps : {6, 7, 8}) {
    FitOptions options = quiet(3);
    options.steps_max = steps;
    Model model = build(Strategy::local());
    const History history = model.fit(in_order(), options);
    EXPECT_EQ(history.steps, steps);
    EXPECT_EQ(history.epoch.size(), steps > 7 ? 2U : 1U);
    EXPECT_EQ(all_values(model), values_after(separable_points(), options)) << steps;
  }
}

TEST(PipelineFit, AResumedTrainingGoesOnToTheSameBits) {
  const Pipeline shuffled = Pipeline::from_dataset(separable_points()).shuffle(30, 4).batch(8);
  for (const std::int64_t steps_per_epoch : {0, 10}) {
    FitOptions options = quiet(4);
    options.steps_per_epoch = steps_per_epoch;
    const std::vector<float> expected = values_after(shuffled, options);
    const support::TemporaryFolder folder;
    options.checkpoint_dir = folder.path();
    options.checkpoint.every_steps = 4;
    FitOptions interrupted = options;
    interrupted.on_step_end = [](std::int64_t step) {
      if (step == 17) throw Interrupted();
    };
    Model first = build(Strategy::local());
    EXPECT_THROW(first.fit(shuffled, interrupted), Interrupted);
    Model second = build(Strategy::local());
    second.fit(shuffled, options);
    EXPECT_EQ(all_values(second), expected) << steps_per_epoch;
  }
}

TEST(PipelineFit, MistakesSayWhatToDo) {
  Model model = build(Strategy::local());
  const auto error = [&](const Pipeline& data, const FitOptions& options) {
    return error_of([&] { model.fit(data, options); });
  };
  FitOptions options = quiet(2);
  options.seed = 3;
  EXPECT_NE(error(in_order(), options).find("Give the seed to Pipeline::shuffle()"),
            std::string::npos);
  options = quiet(2);
  options.validation_split = 0.1;
  EXPECT_NE(error(in_order(), options).find("Give FitOptions::validation"), std::string::npos);

  const auto passes = std::make_shared<int>(0);
  const Pipeline once = Pipeline::from_generator([passes]() -> Pipeline::Generator {
    return [left = (*passes)++ == 0](Examples& examples) mutable {
      if (!std::exchange(left, false)) return false;
      examples = {.features = {{"x", std::vector<float>{1, 2, 3, 4}, {4}}},
                  .targets = {{"y", std::vector<std::int32_t>{1}, {}}}};
      return true;
    };
  });
  const std::string empty = error(once, quiet(2));
  EXPECT_NE(empty.find("no examples in pass 1"), std::string::npos) << empty;
  EXPECT_NE(empty.find("begin anew"), std::string::npos) << empty;

  const Pipeline broken = in_order().map([](Examples& /*examples*/) {
    throw Error(ErrorCode::kDataLoss, "the third file is torn", "Fetch it again");
  });
  EXPECT_NE(error(broken.prefetch(1), quiet(1)).find("the third file is torn"), std::string::npos);
  EXPECT_NO_THROW(model.fit(in_order(), quiet(1)));
}

/// Without dropout, whose numbers depend on which worker has an example.
Model plain(const Strategy& strategy) {
  Model model = strategy.build(
      {.input_shape = {4}, .layers = {Dense{8, Activation::kTanh}, Dense{2}}}, {.seed = 3});
  model.compile({.optimizer = Sgd{.learning_rate = 0.5F},
                 .loss = SparseCategoricalCrossentropy{.from_logits = true},
                 .metrics = {"accuracy"}});
  return model;
}

TEST(PipelineFit, EachWorkerHasItsPart) {
  FitOptions options = quiet(3);
  options.steps_per_epoch = 6;  // 48 of 50 examples: all batches are whole
  const Dataset whole = separable_points().slice(0, 48);
  Model single = plain(Strategy::local());
  const History alone = single.fit(whole, options);
  const std::vector<float> its = all_values(single);
  const double its_loss = single.evaluate(whole).at("loss");
  const auto errors = run_cluster(2, 2, [&](Cluster& cluster) {
    Model model = plain(Strategy::parameter_server(cluster));
    const Pipeline mine = Pipeline::from_dataset(whole).shard(2, cluster.rank()).batch(4);
    EXPECT_NE(error_of([&] { model.fit(mine, quiet(1)); }).find("FitOptions::steps_per_epoch"),
              std::string::npos);
    const History history = model.fit(mine, options);
    EXPECT_NEAR(history.history.at("loss").back(), alone.history.at("loss").back(), 1e-5);
    const std::vector<float> ours = all_values(model);
    for (std::size_t i = 0; i < its.size(); ++i) EXPECT_NEAR(ours[i], its[i], 1e-5) << i;
    const Logs logs = model.evaluate(Pipeline::from_dataset(whole).shard(2, cluster.rank()));
    EXPECT_NEAR(logs.at("loss"), its_loss, 1e-5);
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

}  // namespace
}  // namespace dtrain::inline v0
