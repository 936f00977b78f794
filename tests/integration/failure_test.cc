// Real processes that die, stop or never come: everybody else ends within the deadline with an
// error that names them, or goes on where the mode says so.
#include <gtest/gtest.h>
#include <signal.h>

#include <optional>

#include "base/strings.h"
#include "integration/local_job.h"
#include "support/time_scale.h"

namespace dtrain::inline v0::integration {
namespace {

using std::chrono::seconds;

constexpr int kExitRetryCode = 138;
/// peer_timeout and reconnect_timeout of the probe, and time to end.
constexpr auto kDeadline = seconds(12);

LocalJobOptions endless(const std::string& mode, int workers, int servers) {
  // Members' deadlines grow with the machine's slowness, as the tests' do.
  const auto ms = [](int value) {
    return base::str_cat(static_cast<int>(value * support::time_scale()));
  };
  return {
      .workers = workers,
      .servers = servers,
      .command = {DTRAIN_TRAIN_PROBE, "--mode", mode, "--steps", "100000000", "--peer_timeout_ms",
                  ms(3000), "--reconnect_ms", ms(1500), "--join_ms", ms(5000)}};
}

void wait_until_training(LocalJob& job, Task task) {
  ASSERT_TRUE(job.at(task).wait_for_out("step 20\n")) << job.describe();
}

void expect_everybody_names(LocalJob& job, Task lost, const std::string& words) {
  for (const auto& [task, status] : job.wait_all(kDeadline, lost)) {
    EXPECT_EQ(status, (support::ExitStatus{.code = kExitRetryCode})) << to_string(task);
    EXPECT_NE(job.at(task).err().find(words), std::string::npos)
        << to_string(task) << " does not say \"" << words << "\"\n"
        << job.describe();
  }
}

void expect_everybody_succeeds(LocalJob& job, base::Duration limit,
                               std::optional<Task> except = {}) {
  for (const auto& [task, status] : job.wait_all(limit, except)) {
    EXPECT_EQ(status, support::ExitStatus{}) << to_string(task) << "\n" << job.describe();
  }
}

struct Loss {
  const char* name;
  Task task;
  int signal;
};

class Failure : public testing::TestWithParam<Loss> {};

TEST_P(Failure, OfAMemberEndsASynchronousJobNamingIt) {
  LocalJob job(endless("sync", 3, 2));
  job.start_all();
  wait_until_training(job, worker(1));
  job.at(GetParam().task).send(GetParam().signal);
  expect_everybody_names(job, GetParam().task, to_string(GetParam().task) + " at 127.0.0.1:");
}

INSTANTIATE_TEST_SUITE_P(Loss, Failure,
                         testing::Values(Loss{"KilledServer", server(1), SIGKILL},
                                         Loss{"KilledWorker", worker(2), SIGKILL},
                                         Loss{"KilledChief", worker(0), SIGKILL},
                                         Loss{"StoppedServer", server(0), SIGSTOP},
                                         Loss{"StoppedWorker", worker(1), SIGSTOP},
                                         Loss{"StoppedChief", worker(0), SIGSTOP}),
                         [](const auto& loss) { return std::string(loss.param.name); });

TEST(Failures, AMemberThatNeverStartsIsNamedWhenTheWaitIsOver) {
  LocalJob job(endless("sync", 2, 2));
  for (const Task task : {worker(0), worker(1), server(0)}) job.start(task);
  expect_everybody_names(job, server(1), "ps 1 at 127.0.0.1:");
}

class TolerantJob : public testing::TestWithParam<const char*> {};

TEST_P(TolerantJob, GoesOnWithoutAKilledWorker) {
  LocalJobOptions options = endless(GetParam(), 3, 2);
  options.command = {DTRAIN_TRAIN_PROBE, "--mode", GetParam(), "--steps", "400", "--delay_ms", "5"};
  LocalJob job(options);
  job.start_all();
  wait_until_training(job, worker(2));
  job.at(worker(2)).send(SIGKILL);
  expect_everybody_succeeds(job, seconds(40), worker(2));
  EXPECT_NE(job.at(worker(0)).err().find("worker 2 at 127.0.0.1"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Consistency, TolerantJob, testing::Values("async", "stale", "backup"),
                         [](const auto& mode) { return std::string(mode.param); });

TEST(Failures, AnAsynchronousJobEndsWithoutAServer) {
  LocalJob job(endless("async", 2, 2));
  job.start_all();
  wait_until_training(job, worker(1));
  job.at(server(1)).send(SIGKILL);
  expect_everybody_names(job, server(1), "ps 1 at 127.0.0.1:");
}

TEST(Failures, SigtermEndsTheJobEverywhere) {
  LocalJob job(endless("sync", 2, 1));
  job.start_all();
  wait_until_training(job, worker(1));
  job.at(worker(1)).send(SIGTERM);
  EXPECT_EQ(job.at(worker(1)).wait(kDeadline), (support::ExitStatus{.code = 128 + SIGTERM}));
  expect_everybody_names(job, worker(1), "worker 1 received SIGTERM");
}

TEST(Failures, ASignalEndsAProgramThatMakesNoMoreCalls) {
  // A single process's training inside a cluster asks the cluster nothing.
  LocalJob job(endless("local", 2, 1));
  job.start_all();
  wait_until_training(job, worker(1));
  job.at(worker(1)).send(SIGTERM);
  EXPECT_EQ(job.at(worker(1)).wait(kDeadline), (support::ExitStatus{.signal = SIGTERM}));
  job.at(worker(0)).send_group(SIGKILL);
}

TEST(Failures, AChiefThatIsDoneStillSeesTheJobFail) {
  LocalJobOptions options = endless("local", 2, 1);
  LocalJob job(options);
  job.start(worker(1));
  job.start(server(0));
  options.command = {DTRAIN_TRAIN_PROBE, "--mode", "local", "--steps", "5"};
  job.start(worker(0), options.command);
  ASSERT_TRUE(job.at(worker(0)).wait_for_out("trained")) << job.describe();
  job.at(server(0)).send(SIGKILL);
  EXPECT_EQ(job.at(worker(0)).wait(kDeadline), (support::ExitStatus{.code = kExitRetryCode}))
      << job.describe();
}

TEST(Failures, AnEvaluatorThatTheClusterDoesNotListJoinsAndEndsWithTheJob) {
  LocalJobOptions options = endless("sync", 2, 1);
  options.command = {DTRAIN_TRAIN_PROBE, "--mode", "sync", "--steps", "200", "--delay_ms", "10"};
  LocalJob job(options);
  job.start_all();
  wait_until_training(job, worker(1));
  const auto evaluator = job.start_another({Role::kEvaluator, 0});
  EXPECT_EQ(evaluator->wait(), support::ExitStatus{}) << evaluator->err();
  expect_everybody_succeeds(job, kDeadline);
}

TEST(Failures, APortInUseIsAnErrorThatNamesIt) {
  LocalJob first(endless("sync", 1, 1));
  first.start_all();
  ASSERT_TRUE(first.at(worker(0)).wait_for_out("step 1\n")) << first.describe();
  const auto second = first.start_another(server(0));
  EXPECT_EQ(second->wait(kDeadline), (support::ExitStatus{.code = 2})) << second->err();
  EXPECT_NE(second->err().find("in use"), std::string::npos) << second->err();
  ASSERT_TRUE(first.at(worker(0)).wait_for_out("step 100\n")) << "the first goes on";
}

}  // namespace
}  // namespace dtrain::inline v0::integration
