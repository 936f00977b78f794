#include "strategy/progress.h"

#include <gtest/gtest.h>

namespace dtrain::inline v0::strategy {
namespace {

TEST(Progress, DurationsReadNaturally) {
  EXPECT_EQ(format_duration(0.2), "0 s");
  EXPECT_EQ(format_duration(59.4), "59 s");
  EXPECT_EQ(format_duration(200), "3 min 20 s");
  EXPECT_EQ(format_duration(7500), "2 h 05 min");
}

TEST(Progress, LogsShowTheLossFirstAndValidationLast) {
  EXPECT_EQ(
      format_logs({{"accuracy", 0.5}, {"loss", 0.25}, {"val_accuracy", 1}, {"val_loss", 2e-7}}),
      "loss: 0.2500 - accuracy: 0.5000 - val_loss: 2.0000e-07 - val_accuracy: 1.0000");
}

TEST(Progress, WritesALinePerEpochWhereThereIsNoTerminal) {
  testing::internal::CaptureStdout();
  Progress progress(Verbosity::kAuto, 2, 3);
  progress.start_epoch(0);
  progress.end_epoch({{"loss", 0.5}});
  const std::string shown = testing::internal::GetCapturedStdout();
  EXPECT_TRUE(shown.starts_with("Epoch 1/2 - ")) << shown;
  EXPECT_TRUE(shown.ends_with(" examples/s - loss: 0.5000\n")) << shown;
  EXPECT_EQ(shown.find('\r'), std::string::npos);
}

TEST(Progress, DrawsABarThatTheEpochsLineReplaces) {
  const model::Objectives objectives(
      {{.objective = model::Objective({.loss = MeanSquaredError{}}, {1})}});
  model::Sums sums;
  sums.loss = 4;
  sums.examples = 16;
  testing::internal::CaptureStdout();
  Progress progress(Verbosity::kProgress, 2, 4);
  progress.start_epoch(1);
  progress.step(2, sums, objectives);
  progress.end_epoch({{"loss", 0.25}});
  const std::string shown = testing::internal::GetCapturedStdout();
  EXPECT_TRUE(shown.starts_with("\rEpoch 2/2 [============............] 2/4 - ")) << shown;
  EXPECT_NE(shown.find("ETA "), std::string::npos);
  EXPECT_NE(shown.find("loss: 0.2500"), std::string::npos);
  EXPECT_TRUE(shown.ends_with("\n"));
}

TEST(Progress, CountsStepsWhereOnlyTheirEndTellsHowManyThereAre) {
  const model::Objectives objectives(
      {{.objective = model::Objective({.loss = MeanSquaredError{}}, {1})}});
  testing::internal::CaptureStdout();
  Progress progress(Verbosity::kProgress, 2, 0);
  progress.start_epoch(0);
  progress.step(7, {.loss = 4, .examples = 16}, objectives);
  const std::string shown = testing::internal::GetCapturedStdout();
  EXPECT_TRUE(shown.starts_with("\rEpoch 1/2 7 steps - ")) << shown;
  EXPECT_EQ(shown.find("ETA"), std::string::npos);
}

TEST(Progress, SilenceIsSilent) {
  testing::internal::CaptureStdout();
  Progress progress(Verbosity::kSilent, 1, 1);
  progress.start_epoch(0);
  progress.end_epoch({{"loss", 0.5}});
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace dtrain::inline v0::strategy
