// Who dies × how × when, over real processes: everybody else ends in time, with an error that
// names the one that was lost, and nothing is left.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <vector>

#include "base/philox.h"
#include "base/strings.h"
#include "checkpoint/directory.h"
#include "dtrain/checkpoint.h"
#include "integration/local_job.h"
#include "support/seed.h"
#include "support/temporary_folder.h"
#include "support/time_scale.h"

namespace dtrain::inline v0::integration {
namespace {

using std::chrono::seconds;

constexpr int kExitRetryCode = 138;
constexpr Task kEvaluator{Role::kEvaluator, 0};

/// What the probe is told beside its phase, and when the signal is sent.
enum class Phase { kRendezvous, kFirstPull, kPush, kBarrier, kCheckpoint, kEnd };

const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::kRendezvous:
      return "rendezvous";
    case Phase::kFirstPull:
      return "first_pull";
    case Phase::kPush:
      return "push";
    case Phase::kBarrier:
      return "barrier";
    case Phase::kCheckpoint:
      return "checkpoint";
    case Phase::kEnd:
      return "end";
  }
  return "";
}

struct Case {
  Task victim;
  int signal = SIGKILL;
  Phase phase = Phase::kPush;
  bool synchronous = true;

  std::string name() const {
    return base::str_cat(role_name(victim.role), victim.index, " ", strsignal(signal), " at ",
                         name_of(phase), synchronous ? ", synchronous" : ", asynchronous");
  }
  bool is_chief() const { return victim == worker(0); }
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const bool synchronous : {true, false}) {
    for (const Phase phase : {Phase::kRendezvous, Phase::kFirstPull, Phase::kPush, Phase::kBarrier,
                              Phase::kCheckpoint, Phase::kEnd}) {
      for (const int signal : {SIGKILL, SIGSTOP, SIGTERM, SIGINT}) {
        for (const Task victim : {worker(0), worker(1), server(1), kEvaluator}) {
          // An evaluator joins a cluster that runs.
          if (victim == kEvaluator && phase == Phase::kRendezvous) continue;
          cases.push_back({victim, signal, phase, synchronous});
        }
      }
    }
  }
  return cases;
}

/// The rank that keeps the others at the phase: one that is not the victim, or the victim itself
/// where the chief alone can.
int holder(const Case& one) {
  switch (one.phase) {
    case Phase::kRendezvous:
      return -1;
    case Phase::kFirstPull:
      return 0;  // its values are what the others wait for
    case Phase::kPush:
      // Others' pushes stop half-way: chunk by chunk they wait for rank 0. Where rank 0 is to die,
      // it is in the middle of its own.
      return one.is_chief() || !one.synchronous ? -1 : 0;
    case Phase::kCheckpoint:
      return -1;  // the chief is saving when it has said that it is there
    case Phase::kBarrier:
    case Phase::kEnd:
      return 2;
  }
  return -1;
}

std::vector<std::string> command_of(const Case& one, const std::string& folder) {
  const auto ms = [](int value) {
    return base::str_cat(static_cast<int>(value * support::time_scale()));
  };
  // With a lost evaluator, or at the end, the job may go on: the holder lets it.
  const bool may_go_on = one.victim == kEvaluator || one.phase == Phase::kEnd || !one.synchronous;
  return {DTRAIN_PHASE_PROBE,
          "--folder",
          folder,
          "--steps",
          may_go_on ? "30" : "1000000",
          "--phase",
          name_of(one.phase),
          "--mode",
          one.synchronous ? "sync" : "async",
          "--hold_rank",
          base::str_cat(holder(one)),
          "--hold_ms",
          ms(may_go_on ? 4000 : 600'000),
          "--peer_timeout_ms",
          ms(4000),
          "--reconnect_ms",
          ms(1000),
          "--join_ms",
          ms(one.phase == Phase::kRendezvous ? 11000 : 20'000)};
}

/// Waits until the job stands where the victim is to die.
void wait_for_phase(const Case& one, LocalJob& job) {
  if (one.phase == Phase::kRendezvous) {
    ASSERT_TRUE(job.at(worker(0)).wait_for_err("waiting for worker 2")) << job.describe();
    return;
  }
  const std::string there = base::str_cat("at ", name_of(one.phase), "\n");
  for (const Task task : {worker(0), worker(1), worker(2)}) {
    // Who waits for the holder does not get further; who is held says so.
    ASSERT_TRUE(job.at(task).wait_for_out(there)) << job.describe();
  }
}

void expect_named_end(const Case& one, Task task, const support::ExitStatus& status,
                      LocalJob& job) {
  // A job may be done in spite of its loss; what is an error must say whose.
  if (status == support::ExitStatus{}) {
    EXPECT_TRUE(!one.synchronous || one.victim == kEvaluator || one.phase == Phase::kEnd)
        << to_string(task) << " ended as if nothing had happened\n"
        << job.describe();
    return;
  }
  EXPECT_EQ(status, (support::ExitStatus{.code = kExitRetryCode})) << to_string(task);
  EXPECT_NE(one.victim, kEvaluator) << "nobody needs an evaluator\n" << job.describe();
  const std::string victim = to_string(one.victim);
  EXPECT_NE(job.at(task).err().find(victim), std::string::npos)
      << to_string(task) << " does not name " << victim << "\n"
      << job.describe();
}

/// Nothing but whole checkpoints, the state file, and what the next run will remove.
void expect_whole_checkpoints(const std::string& folder) {
  const auto files = checkpoint::make_real_file_system();
  const auto latest = latest_checkpoint(folder);
  ASSERT_TRUE(latest) << "three were saved";
  EXPECT_NO_THROW(checkpoint::open_checkpoint(*files, *latest)->verify()) << *latest;
}

void run_case(const Case& one) {
  SCOPED_TRACE(one.name());
  const support::TemporaryFolder folder;
  LocalJob job({.workers = 3, .servers = 2, .command = command_of(one, folder.path())});
  for (const Task task : job.tasks()) {
    if (one.phase == Phase::kRendezvous && task == worker(2)) continue;
    job.start(task);
  }
  std::unique_ptr<support::Process> evaluator;
  if (one.victim == kEvaluator) evaluator = job.start_another(kEvaluator);
  wait_for_phase(one, job);
  if (testing::Test::HasFatalFailure()) return;
  support::Process& victim = evaluator ? *evaluator : job.at(one.victim);
  victim.send(one.signal);
  for (const auto& [task, status] : job.wait_all(seconds(25), one.victim)) {
    expect_named_end(one, task, status, job);
  }
  if (one.phase == Phase::kCheckpoint) expect_whole_checkpoints(folder.path());
  // A stopped process ends with the test; one that was asked to end does so by itself.
  if (one.signal == SIGSTOP) victim.send(SIGKILL);
  EXPECT_TRUE(victim.wait(seconds(10))) << "the victim has not ended\n" << job.describe();
  EXPECT_TRUE(victim.living().empty());
  for (const Task task : job.tasks()) {
    if (one.phase == Phase::kRendezvous && task == worker(2)) continue;
    EXPECT_TRUE(job.at(task).living().empty()) << to_string(task) << " left processes behind";
  }
}

TEST(KillMatrix, EverybodyElseEndsInTimeNamingTheLost) {
  std::vector<Case> cases = all_cases();
  // DTRAIN_KILL_CASE="Killed at push" runs all those whose names have it.
  const char* only = std::getenv("DTRAIN_KILL_CASE");
  if (only) {
    std::erase_if(cases,
                  [&](const Case& one) { return one.name().find(only) == std::string::npos; });
  }
  const bool full = support::whole_counts();
  base::PhiloxStream random(support::seed());
  const std::size_t count =
      full || only ? cases.size()
                   : std::min<std::size_t>(support::time_scale() > 1.0 ? 4 : 10, cases.size());
  for (std::size_t i = 0; i < count && !testing::Test::HasFailure(); ++i) {
    // The first `count` of a random order: all of them, in the end.
    std::swap(cases[i], cases[i + random.below(cases.size() - i)]);
    std::cout << "case " << i + 1 << " of " << count << ": " << cases[i].name() << std::endl;
    run_case(cases[i]);
  }
}

}  // namespace
}  // namespace dtrain::inline v0::integration
