// Whole jobs of real processes that are killed at a random step, every process of them, and
// started again: the weights have the bits of a job that was left alone.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/philox.h"
#include "base/strings.h"
#include "integration/local_job.h"
#include "support/seed.h"
#include "support/temporary_folder.h"

namespace dtrain::inline v0::integration {
namespace {

using std::chrono::seconds;
using support::TemporaryFolder;

constexpr int kSteps = 60;

struct Shape {
  bool local = false;
  int servers = 2;
};

std::unique_ptr<LocalJob> start(const Shape& shape, const TemporaryFolder& folder,
                                std::uint64_t every_steps) {
  std::vector<std::string> command{
      DTRAIN_TRAIN_PROBE,    "--mode", shape.local ? "local" : "sync", "--steps",
      base::str_cat(kSteps), "--out",  folder.file("weights")};
  if (every_steps > 0) {
    command.insert(command.end(), {"--checkpoint_dir", folder.file("ckpt"), "--every_steps",
                                   base::str_cat(every_steps)});
  }
  auto job = std::make_unique<LocalJob>(LocalJobOptions{.workers = shape.local ? 1 : 2,
                                                        .servers = shape.local ? 0 : shape.servers,
                                                        .command = command});
  job->start_all();
  return job;
}

std::string finish(LocalJob& job, const TemporaryFolder& folder) {
  for (const auto& [task, status] : job.wait_all(seconds(60))) {
    EXPECT_EQ(status, support::ExitStatus{}) << to_string(task) << "\n" << job.describe();
  }
  std::ifstream in(folder.file("weights"), std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void kill_all(LocalJob& job) {
  for (const Task task : job.tasks()) job.at(task).send_group(SIGKILL);
}

void expect_only_checkpoints(const std::string& folder) {
  int checkpoints = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name == "checkpoint") continue;
    EXPECT_TRUE(name.starts_with("ckpt-") && name.find('.') == std::string::npos) << name;
    ++checkpoints;
  }
  EXPECT_EQ(checkpoints, 5);
}

int repetitions() { return support::whole_counts() ? 20 : 3; }

void kill_and_resume(bool local) {
  const TemporaryFolder undisturbed_folder;
  const auto undisturbed_job = start({.local = local}, undisturbed_folder, 0);
  const std::string undisturbed = finish(*undisturbed_job, undisturbed_folder);
  ASSERT_EQ(undisturbed.size(), (20 * 64 + 64 + 64 * 2 + 2) * sizeof(float));
  const std::uint64_t seed = support::seed();
  for (int i = 0; i < repetitions(); ++i) {
    base::PhiloxStream random(seed, static_cast<std::uint64_t>(i));
    const std::uint64_t every_steps = 1 + random.below(4);
    const TemporaryFolder folder;
    // Sometimes the second attempt is killed as well.
    bool saved = false;
    const auto kills = 1 + random.below(2);
    for (std::uint64_t kill = 0; kill < kills; ++kill) {
      const std::uint64_t step = 1 + kSteps * kill / 2 + random.below(kSteps / 2 - 1);
      SCOPED_TRACE(base::str_cat("killed at step ", step, ", saved every ", every_steps));
      const auto job = start({.local = local}, folder, every_steps);
      ASSERT_TRUE(job->at(worker(0)).wait_for_out(base::str_cat("step ", step, "\n")))
          << job->describe();
      kill_all(*job);
      EXPECT_EQ(job->at(worker(0)).wait(), (support::ExitStatus{.signal = SIGKILL}))
          << "it ended before it was killed";
      saved = saved || step > every_steps;
    }
    const int servers = 1 + static_cast<int>(random.below(3));
    const auto job = start({.local = local, .servers = servers}, folder, every_steps);
    EXPECT_EQ(finish(*job, folder), undisturbed) << "repetition " << i << " of seed " << seed;
    const bool resumed = job->at(worker(0)).err().find("resumes from") != std::string::npos;
    EXPECT_TRUE(resumed || !saved) << job->describe();
    expect_only_checkpoints(folder.file("ckpt"));
  }
}

TEST(Resume, AKilledLocalTrainingGoesOnToTheSameBits) { kill_and_resume(true); }

TEST(Resume, AKilledSynchronousJobGoesOnToTheSameBits) { kill_and_resume(false); }

}  // namespace
}  // namespace dtrain::inline v0::integration
