// fit() with a folder for checkpoints, in one process.
#include "dtrain/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "strategy/checkpoint_fixture.h"
#include "strategy/cluster_harness.h"
#include "support/temporary_folder.h"

namespace dtrain::inline v0 {
namespace {

using support::TemporaryFolder;

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

/// Trains until after `step`, where it ends like a process that is killed.
void train_until(std::int64_t step, const FitOptions& options, const Training& training = {}) {
  FitOptions interrupted = options;
  interrupted.on_step_end = [step](std::int64_t at) {
    if (at > step) throw Interrupted{};
  };
  Model model = build(Strategy::local(), training);
  EXPECT_THROW(model.fit(separable_points(), interrupted), Interrupted);
}

struct Finished {
  std::vector<float> values;
  History history;
};

Finished train(const FitOptions& options, const Training& training = {}) {
  Model model = build(Strategy::local(), training);
  Finished finished{.history = model.fit(separable_points(), options)};
  finished.values = all_values(model);
  return finished;
}

TEST(Checkpoint, AResumedTrainingHasTheBitsOfAnUndisturbedOne) {
  for (const Optimizer& optimizer :
       {Optimizer(Sgd{.learning_rate = 0.05F, .momentum = 0.9F}), Optimizer(Adam{})}) {
    SCOPED_TRACE(to_string(optimizer));
    const Training training{.optimizer = optimizer};
    const Finished undisturbed = train(fit_options(), training);
    for (const std::int64_t step : {1, 6, 7, 8, 20, 39}) {
      SCOPED_TRACE(step);
      const TemporaryFolder folder;
      FitOptions options = fit_options(folder.path());
      options.checkpoint.every_steps = step;
      train_until(step, options, training);
      EXPECT_TRUE(std::filesystem::exists(folder.file("ckpt-" + std::to_string(step))));
      const Finished resumed = train(options, training);
      EXPECT_EQ(resumed.values, undisturbed.values);
      EXPECT_EQ(resumed.history.steps, 40);
      EXPECT_EQ(resumed.history.history.at("loss").back(),
                undisturbed.history.history.at("loss").back());
      EXPECT_EQ(resumed.history.history.at("accuracy").back(),
                undisturbed.history.history.at("accuracy").back());
    }
  }
}

TEST(Checkpoint, AFolderAloneSavesAfterEachEpochAndAtTheEnd) {
  const TemporaryFolder folder;
  train(fit_options(folder.path()));
  EXPECT_EQ(names_in(folder.path()), (std::vector<std::string>{"checkpoint", "ckpt-14", "ckpt-21",
                                                               "ckpt-28", "ckpt-35", "ckpt-40"}));
  EXPECT_EQ(latest_checkpoint(folder.path()), folder.file("ckpt-40"));
}

TEST(Checkpoint, StepsAndTimeAndTheNumberToKeepAreOptions) {
  const TemporaryFolder by_steps;
  FitOptions options = fit_options(by_steps.path());
  options.checkpoint = {.every_steps = 15, .max_to_keep = 2};
  train(options);
  EXPECT_EQ(names_in(by_steps.path()),
            (std::vector<std::string>{"checkpoint", "ckpt-30", "ckpt-40"}));
  const TemporaryFolder by_time;
  options = fit_options(by_time.path());
  options.checkpoint = {.every = std::chrono::milliseconds(1), .max_to_keep = 1000};
  // Whatever is due is saved before the next step; a step that lasts as long makes one due.
  options.on_step_end = [](std::int64_t) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1);
    while (std::chrono::steady_clock::now() < end) continue;
  };
  train(options);
  EXPECT_EQ(names_in(by_time.path()).size(), 41U);
}

TEST(Checkpoint, ALaterCallGoesOnWithMoreEpochsOrSteps) {
  const TemporaryFolder folder;
  FitOptions options = fit_options(folder.path());
  options.steps_max = 0;
  options.epochs = 3;
  train(options);
  EXPECT_TRUE(train(options).history.epoch.empty()) << "all 3 are done";
  options.epochs = 5;
  const Finished more = train(options);
  EXPECT_EQ(more.history.epoch, (std::vector<int>{3, 4}));
  options = fit_options();
  options.steps_max = 0;
  options.epochs = 5;
  EXPECT_EQ(more.values, train(options).values);
}

TEST(Checkpoint, AnEndByOnEpochEndIsRemembered) {
  const TemporaryFolder folder;
  FitOptions options = fit_options(folder.path());
  options.checkpoint.every_steps = 1;
  options.on_epoch_end = [](int epoch, const Logs&) { return epoch == 1; };
  const Finished first = train(options);
  EXPECT_EQ(first.history.epoch, (std::vector<int>{0, 1}));
  const Finished second = train(options);
  EXPECT_TRUE(second.history.epoch.empty());
  EXPECT_EQ(second.values, first.values);
}

TEST(Checkpoint, StartingAnewIgnoresWhatLiesThere) {
  const TemporaryFolder folder;
  FitOptions options = fit_options(folder.path());
  const Finished first = train(options);
  options.checkpoint.resume = false;
  options.steps_max = 10;
  EXPECT_EQ(train(options).history.steps, 10);
  EXPECT_EQ(latest_checkpoint(folder.path()), folder.file("ckpt-10"));
  options.checkpoint.resume = true;
  options.steps_max = 40;
  EXPECT_EQ(train(options).values, first.values);
}

TEST(Checkpoint, ADamagedCheckpointIsAnErrorUntilItIsDeleted) {
  const TemporaryFolder folder;
  FitOptions options = fit_options(folder.path());
  const Finished undisturbed = train(options);
  const std::string newest = *latest_checkpoint(folder.path());
  std::fstream(newest, std::ios::in | std::ios::out | std::ios::binary).seekp(100).put('\x55');
  Model model = build(Strategy::local());
  const std::vector<float> before = all_values(model);
  const std::string error = error_of([&] { model.fit(separable_points(), options); });
  EXPECT_NE(error.find("[DATA_LOSS] \"dense_1/kernel\" in \"" + newest + "\" is damaged"),
            std::string::npos)
      << error;
  EXPECT_EQ(all_values(model), before) << "nothing was changed";
  std::filesystem::remove(newest);
  EXPECT_EQ(train(options).values, undisturbed.values);
}

TEST(Checkpoint, AFolderThatCannotBeWrittenIsAnErrorBeforeTheFirstStep) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("file")) << "x";
  FitOptions options = fit_options(folder.file("file/ckpt"));
  options.on_step_end = [](std::int64_t) { ADD_FAILURE() << "a step was made"; };
  Model model = build(Strategy::local());
  const std::string error = error_of([&] { model.fit(separable_points(), options); });
  EXPECT_NE(error.find("file/ckpt\" cannot be made: Not a directory"), std::string::npos) << error;
}

TEST(Checkpoint, WhatDoesNotFitIsNamed) {
  const TemporaryFolder folder;
  FitOptions options = fit_options(folder.path());
  train(options);  // ends within an epoch
  const auto error = [&](const FitOptions& changed, const Training& training) {
    Model model = build(Strategy::local(), training);
    return error_of([&] { model.fit(separable_points(), changed); });
  };
  const auto has = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in: " << text;
  };
  has(error(options, {.units = 17}),
      "its \"dense_1/kernel\" is float32 (16, 2), the model's float32 (17, 2)");
  has(error(options, {.optimizer = Sgd{}}),
      "saved with the optimizer Adam(learning_rate=0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-07, "
      "amsgrad=false, weight_decay=0), the model is compiled with Sgd(");
  has(error(options, {.units = 17}), "start anew with .checkpoint = {.resume = false}");
  FitOptions changed = options;
  changed.steps_max = 50;
  changed.batch_size = 10;
  has(error(changed, {}),
      "another value of FitOptions::batch_size: 8, and not 10, after step 5 of epoch 6");
  changed.batch_size = 8;
  changed.seed = 9;
  has(error(changed, {}), "FitOptions::seed: 0, and not 9");
  changed = options;
  changed.shuffle = false;
  has(error(changed, {}), "FitOptions::shuffle");
}

TEST(Checkpoint, WhatCanGoOnDoes) {
  // At the end of an epoch other batches may begin, and the optimizer may get another rate.
  const TemporaryFolder folder;
  FitOptions options = fit_options(folder.path());
  options.steps_max = 14;
  train(options);
  options.steps_max = 20;
  options.batch_size = 10;
  options.seed = 9;
  const Finished more = train(options, {.optimizer = Adam{.learning_rate = 0.001F}, .seed = 6});
  EXPECT_EQ(more.history.steps, 20);
  EXPECT_EQ(more.history.epoch, (std::vector<int>{2, 3}));
}

TEST(Checkpoint, MomentumThatWasNotSavedIsMissed) {
  const TemporaryFolder folder;
  train(fit_options(folder.path()), {.optimizer = Sgd{}});
  Model model = build(Strategy::local(), {.optimizer = Sgd{.momentum = 0.9F}});
  const std::string error =
      error_of([&] { model.fit(separable_points(), fit_options(folder.path())); });
  EXPECT_NE(error.find("it has no \"dense_1/kernel/sgd/momentum\" (16, 2)"), std::string::npos)
      << error;
}

TEST(Checkpoint, OptionsThatMakeNoSenseAreRefused) {
  Model model = build(Strategy::local());
  const auto error = [&](const std::string& folder, const CheckpointOptions& checkpoint) {
    return error_of([&] {
      model.fit(separable_points(), {.checkpoint_dir = folder, .checkpoint = checkpoint});
    });
  };
  EXPECT_NE(error("", {.every_steps = 5}).find("checkpoint_dir is empty"), std::string::npos);
  EXPECT_NE(error("x", {.every_steps = -1}).find("every_steps = -1"), std::string::npos);
  EXPECT_NE(error("x", {.max_to_keep = 0}).find("max_to_keep = 0"), std::string::npos);
}

}  // namespace
}  // namespace dtrain::inline v0
