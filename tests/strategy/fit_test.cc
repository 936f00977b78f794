// What fit() makes of its options in one process.
#include <gtest/gtest.h>

#include "strategy/checkpoint_fixture.h"
#include "strategy/cluster_harness.h"
#include "support/temporary_folder.h"

namespace dtrain::inline v0 {
namespace {

/// 50 examples in batches of 8: 7 steps a pass.
FitOptions quiet(int epochs) {
  return {.epochs = epochs, .batch_size = 8, .verbosity = Verbosity::kSilent};
}

std::vector<float> values_after(const FitOptions& options, const Training& training = {}) {
  Model model = build(Strategy::local(), training);
  model.fit(separable_points(), options);
  return all_values(model);
}

TEST(Fit, EpochsOfOtherLengthsGoThroughTheSameBatches) {
  const std::vector<float> expected = values_after(quiet(3));  // 21 steps
  for (const std::int64_t steps : {1, 3, 7, 21}) {
    FitOptions options = quiet(static_cast<int>(21 / steps));
    options.steps_per_epoch = steps;
    EXPECT_EQ(values_after(options), expected) << steps;
  }
}

TEST(Fit, AnInitialEpochGoesOnWithTheOrderOfThatEpoch) {
  Model model = build(Strategy::local());
  model.fit(separable_points(), quiet(1));
  FitOptions rest = quiet(3);
  rest.initial_epoch = 1;
  const History history = model.fit(separable_points(), rest);
  EXPECT_EQ(history.epoch, (std::vector<int>{1, 2}));
  EXPECT_EQ(all_values(model), values_after(quiet(3)));
}

TEST(Fit, AValidationSplitIsTheLastExamples) {
  const Dataset all = separable_points();
  const auto [train, held] = all.split(0.2);
  FitOptions given = quiet(2);
  given.validation = &held;
  Model expected = build(Strategy::local());
  const History separate = expected.fit(train, given);
  FitOptions options = quiet(2);
  options.validation_split = 0.2;
  Model model = build(Strategy::local());
  const History history = model.fit(all, options);
  EXPECT_EQ(history.history, separate.history);
  EXPECT_TRUE(history.history.contains("val_accuracy"));
  EXPECT_EQ(all_values(model), all_values(expected));
}

TEST(Fit, ClassWeightsAreWeightsOfExamples) {
  const Dataset plain = separable_points();
  const auto labels = plain.target<std::int32_t>("targets");
  const auto features = plain.feature<float>("features");
  std::vector<float> weights;
  for (const std::int32_t label : labels) weights.push_back(label == 1 ? 4.0F : 1.0F);
  const Dataset weighed = Dataset::from_columns(
      {.features = {{"features", std::vector<float>(features.begin(), features.end()), {4}}},
       .targets = {{"targets", std::vector<std::int32_t>(labels.begin(), labels.end()), {}}},
       .weights = weights});
  Model expected = build(Strategy::local());
  const History by_example = expected.fit(weighed, quiet(2));
  FitOptions options = quiet(2);
  options.class_weight = {{1, 4.0F}};
  Model model = build(Strategy::local());
  const History by_class = model.fit(plain, options);
  EXPECT_EQ(all_values(model), all_values(expected));
  EXPECT_EQ(by_class.history, by_example.history);
  EXPECT_NE(all_values(model), values_after(quiet(2)));
}

TEST(Fit, ASchedulerOfEpochsIsAScheduleOfSteps) {
  FitOptions options = quiet(3);
  options.callbacks = {
      LearningRateScheduler{[](int epoch, double rate) { return epoch == 0 ? rate : rate / 2; }}};
  Model model = build(Strategy::local(), {.optimizer = Adam{.learning_rate = 0.02F}});
  const History history = model.fit(separable_points(), options);
  const std::vector<double> expected = {0.02F, 0.01F, 0.005F};
  ASSERT_EQ(history.history.at("learning_rate").size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(history.history.at("learning_rate")[i], expected[i], 1e-9);
  }
  EXPECT_EQ(all_values(model),
            values_after(quiet(3), {.optimizer = Adam{.learning_rate = PiecewiseConstantDecay{
                                                          .boundaries = {6, 13},
                                                          .values = {0.02F, 0.01F, 0.005F}}}}));
}

/// Writes down what it hears.
struct Witness final : Callback {
  void on_train_begin(FitSession& /*session*/) override { heard += "("; }
  void on_epoch_begin(FitSession& /*session*/, int epoch) override {
    heard += std::to_string(epoch);
  }
  void on_batch_end(FitSession& session, std::int64_t step) override {
    heard += ".";
    if (step == stop_at) session.stop();
  }
  void on_epoch_end(FitSession& session, int /*epoch*/, Logs& logs) override {
    heard += logs.contains("loss") ? "|" : "?";
    logs["variables"] = static_cast<double>(session.model().parameter_count());
  }
  void on_train_end(FitSession& /*session*/) override { heard += ")"; }

  std::string heard;
  std::int64_t stop_at = -1;
};

TEST(Fit, OnesOwnCallbackHearsOfEverythingAndMayStopTheTraining) {
  const auto witness = std::make_shared<Witness>();
  FitOptions options = quiet(4);
  options.steps_per_epoch = 3;
  options.callbacks = {witness};
  witness->stop_at = 5;
  Model model = build(Strategy::local());
  const History history = model.fit(separable_points(), options);
  EXPECT_EQ(witness->heard, "(0...|1...|)");
  EXPECT_EQ(history.history.at("variables"), (std::vector<double>(2, 4 * 16 + 16 + 16 * 2 + 2)));
}

TEST(Fit, EarlyStoppingBringsTheBestEpochBack) {
  // The scheduler makes every epoch after the second worse.
  struct Keeper final : Callback {
    void on_epoch_end(FitSession& session, int epoch, Logs& logs) override {
      if (epoch == 1) best = all_values(session.model());
      logs["loss"] = epoch <= 1 ? 1.0 - epoch : 5.0;
    }
    std::vector<float> best;
  };
  const auto keeper = std::make_shared<Keeper>();
  FitOptions options = quiet(10);
  options.callbacks = {
      keeper, EarlyStopping{.monitor = "loss", .patience = 2, .restore_best_weights = true}};
  Model model = build(Strategy::local());
  const History history = model.fit(separable_points(), options);
  EXPECT_EQ(history.epoch, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(all_values(model), keeper->best);
}

TEST(Fit, ARateThatACallbackHasSetSurvivesAResume) {
  struct Halve final : Callback {
    void on_epoch_begin(FitSession& session, int epoch) override {
      if (epoch == 1) session.set_learning_rate(session.learning_rate() / 2);
    }
  };
  const auto options = [](const std::string& folder) {
    FitOptions some = fit_options(folder);
    some.callbacks = {std::make_shared<Halve>()};
    return some;
  };
  const std::vector<float> undisturbed = values_after(options({}));
  const support::TemporaryFolder folder;
  FitOptions interrupted = options(folder.path());
  interrupted.checkpoint.every_steps = 5;
  interrupted.on_step_end = [](std::int64_t step) {
    if (step > 23) throw Interrupted{};
  };
  Model first = build(Strategy::local());
  EXPECT_THROW(first.fit(separable_points(), interrupted), Interrupted);
  EXPECT_EQ(values_after(options(folder.path())), undisturbed);
}

TEST(Fit, MistakesHaveMessagesOfTheirOwn) {
  const auto error = [](const std::function<void(FitOptions&)>& change) {
    FitOptions options = quiet(1);
    change(options);
    return error_of([&] { values_after(options); });
  };
  EXPECT_EQ(error([](FitOptions& options) { options.initial_epoch = -1; }),
            "[INVALID_ARGUMENT] FitOptions::initial_epoch is -1. Give 0 or more.");
  EXPECT_EQ(error([](FitOptions& options) { options.steps_per_epoch = -3; }),
            "[INVALID_ARGUMENT] FitOptions::steps_per_epoch is -3. Give 0 for as many as the data "
            "have, or at least 1.");
  EXPECT_EQ(error([](FitOptions& options) { options.validation_split = 1.0; }),
            "[INVALID_ARGUMENT] FitOptions::validation_split is 1. Give a number in [0, 1): the "
            "fraction of the data that is validated with.");
  EXPECT_EQ(error([](FitOptions& options) {
              options.class_weight = {{0, -1.0F}};
            }),
            "[INVALID_ARGUMENT] FitOptions::class_weight gives class 0 the weight -1. Give classes "
            "from 0, and finite weights of at least 0.");
  EXPECT_EQ(error([](FitOptions& options) { options.callbacks = {EarlyStopping{}}; }),
            "[INVALID_ARGUMENT] EarlyStopping monitors \"val_loss\", which epochs do not have. "
            "Give fit() data for validation, or monitor loss.");
  EXPECT_NE(error([](FitOptions& options) {
              options.callbacks = {LearningRateScheduler{[](int, double) { return -1.0; }}};
            }).find("a callback sets the learning rate to -1"),
            std::string::npos);
  Model model = build(Strategy::local(), {.optimizer = Sgd{.learning_rate = CosineDecay{0.1F, 9}}});
  FitOptions options = quiet(1);
  options.callbacks = {LearningRateScheduler{[](int, double rate) { return rate; }}};
  EXPECT_NE(error_of([&] {
              model.fit(separable_points(), options);
            }).find("but the optimizer follows CosineDecay("),
            std::string::npos);
}

}  // namespace
}  // namespace dtrain::inline v0
