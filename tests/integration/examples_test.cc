// The examples as a reader of the README runs them, their output checked.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/strings.h"
#include "integration/local_job.h"
#include "support/temporary_folder.h"

namespace dtrain::inline v0::integration {
namespace {

using std::chrono::seconds;

std::string run_example(LocalJobOptions options) {
  LocalJob job(std::move(options));
  job.start_all();
  for (const auto& [task, status] : job.wait_all(seconds(60))) {
    EXPECT_EQ(status, support::ExitStatus{}) << to_string(task) << "\n" << job.describe();
  }
  return job.at(worker(0)).out();
}

double accuracy_in(const std::string& output) {
  const std::size_t at = output.rfind("test accuracy ");
  return at == std::string::npos ? 0.0 : std::atof(output.c_str() + at + 14);
}

TEST(Examples, QuickstartTrainsOnACluster) {
  const std::string output = run_example(
      {.workers = 2, .servers = 2, .command = {DTRAIN_EXAMPLES "/quickstart", DTRAIN_DATA}});
  EXPECT_GE(accuracy_in(output), 0.94) << output;
}

TEST(Examples, DigitsTrainsAloneAndOnClusters) {
  for (const char* mode : {"local", "sync", "async"}) {
    const std::string output = run_example(
        {.workers = std::string(mode) == "local" ? 1 : 2,
         .servers = std::string(mode) == "local" ? 0 : 2,
         .command = {DTRAIN_EXAMPLES "/digits", "--mode", mode, "--data", DTRAIN_DATA}});
    EXPECT_GE(accuracy_in(output), 0.94) << mode << "\n" << output;
    EXPECT_NE(
        output.find(std::string(mode) == "async" ? " after 240 steps in " : " after 460 steps in "),
        std::string::npos)
        << output;
  }
}

TEST(Examples, DigitsLearnsMoreWithConvolutions) {
  const std::string output =
      run_example({.workers = 1,
                   .servers = 0,
                   .command = {DTRAIN_EXAMPLES "/digits", "--mode", "local", "--model", "conv",
                               "--epochs", "40", "--data", DTRAIN_DATA}});
  EXPECT_GE(accuracy_in(output), 0.97) << output;
}

TEST(Examples, AdultTrainsFromRawTextAloneAndOnClusters) {
  for (const char* mode : {"local", "sync", "async"}) {
    const bool local = std::string(mode) == "local";
    const std::string output =
        run_example({.workers = local ? 1 : 2,
                     .servers = local ? 0 : 2,
                     .command = {DTRAIN_EXAMPLES "/adult", "--mode", mode, "--data", DTRAIN_DATA}});
    const std::size_t at = output.rfind("test auc ");
    ASSERT_NE(at, std::string::npos) << output;
    EXPECT_GE(std::atof(output.c_str() + at + 9), 0.905) << mode << "\n" << output;
  }
}

TEST(Examples, DigitsGoesOnFromItsCheckpointsAloneAndOnAnotherCluster) {
  const support::TemporaryFolder folder;
  const auto train = [&](const char* mode, int servers, const char* epochs) {
    return run_example(
        {.workers = servers == 0 ? 1 : 2,
         .servers = servers,
         .command = {DTRAIN_EXAMPLES "/digits", "--mode", mode, "--data", DTRAIN_DATA, "--epochs",
                     epochs, "--checkpoint_dir", folder.file("ckpt")}});
  };
  EXPECT_NE(train("local", 0, "2").find("Epoch 2/2"), std::string::npos);
  const std::string output = train("sync", 3, "20");
  EXPECT_EQ(output.find("Epoch 2/20"), std::string::npos) << output;
  EXPECT_NE(output.find("Epoch 3/20"), std::string::npos) << output;
  EXPECT_GE(accuracy_in(output), 0.94) << output;
}

TEST(Examples, OwnGradientsFindTheLine) {
  EXPECT_EQ(
      run_example({.workers = 3, .servers = 2, .command = {DTRAIN_EXAMPLES "/own_gradients"}}),
      "a = 3, b = 1\n");
}

}  // namespace
}  // namespace dtrain::inline v0::integration
