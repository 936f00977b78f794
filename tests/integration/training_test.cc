// Whole jobs of real processes: what synchronous training computes, whatever carries it.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>

#include "base/strings.h"
#include "integration/local_job.h"
#include "integration/temporary_folder.h"
#include "support/seed.h"

namespace dtrain::inline v0::integration {
namespace {

using std::chrono::seconds;

struct RunOptions {
  std::string mode = "sync";
  int workers = 1;
  int servers = 1;
  std::string transport = "tcp";
  int delay_ms = 0;
  std::uint64_t delay_seed = 0;
};

/// The weights after 50 steps.
std::vector<float> train(const RunOptions& run) {
  const TemporaryFolder folder;
  const std::string out = folder.file("weights");
  std::vector<std::string> command{DTRAIN_TRAIN_PROBE, "--mode", run.mode, "--out", out};
  if (run.delay_ms > 0) {
    for (const auto& word : {std::string("--delay_ms"), base::str_cat(run.delay_ms),
                             std::string("--delay_seed"), base::str_cat(run.delay_seed)}) {
      command.push_back(word);
    }
  }
  LocalJob job({.workers = run.workers,
                .servers = run.mode == "local" ? 0 : run.servers,
                .command = command,
                .environment = {{"DTRAIN_TRANSPORT", run.transport}}});
  job.start_all();
  for (const auto& [task, status] : job.wait_all(seconds(60))) {
    EXPECT_EQ(status, support::ExitStatus{}) << to_string(task) << "\n" << job.describe();
  }
  std::ifstream in(out, std::ios::binary);
  std::vector<float> weights(20 * 64 + 64 + 64 * 2 + 2);
  in.read(reinterpret_cast<char*>(weights.data()),
          static_cast<std::streamsize>(weights.size() * sizeof(float)));
  EXPECT_TRUE(in.good() && in.peek() == EOF) << "the probe wrote other weights than expected";
  return weights;
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  float largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST(Training, SynchronousWeightsEqualTheSingleProcessesTo1e5) {
  const std::vector<float> local = train({.mode = "local"});
  for (const int workers : {1, 2, 3}) {
    const std::vector<float> weights = train({.workers = workers, .servers = 2});
    EXPECT_LE(largest_difference(weights, local), 1e-5F) << workers << " workers";
  }
}

TEST(Training, SynchronousBitsDoNotDependOnServersTransportOrTiming) {
  const std::uint64_t seed = support::seed() % 1000;
  const RunOptions base{.workers = 2};
  const std::vector<float> reference = train(base);
  EXPECT_EQ(train(base), reference) << "twice in a row";
  for (const char* transport : {"tcp", "ipc", "shm"}) {
    for (const int servers : {1, 2, 5}) {
      RunOptions run = base;
      run.servers = servers;
      run.transport = transport;
      EXPECT_EQ(train(run), reference) << servers << " servers over " << transport;
      run.delay_ms = 8;
      run.delay_seed = seed;
      EXPECT_EQ(train(run), reference) << servers << " servers over " << transport << " delayed";
    }
  }
}

TEST(Training, AsynchronousWorkersEndWithTheSameWeightsInEveryProcess) {
  // Values differ from run to run; that all have ended, and the file is whole, is checked inside.
  const std::vector<float> weights = train({.mode = "async", .workers = 3, .servers = 2});
  EXPECT_GT(largest_difference(weights, std::vector<float>(weights.size())), 0.0F);
}

}  // namespace
}  // namespace dtrain::inline v0::integration
