#include "app/launch_policy.h"

#include <gtest/gtest.h>

#include <csignal>

namespace dtrain::app {
namespace {

using std::chrono::seconds;
using Signals = std::vector<std::pair<std::size_t, int>>;
using Lines = std::vector<std::string>;

constexpr process::ExitStatus kWell{0, 0};

// Members 0 and 1 are workers, 2 and 3 servers, 4 an evaluator; worker 0 is the chief.
class LaunchPolicyTest : public testing::Test {
 protected:
  LaunchActions end(std::size_t member, process::ExitStatus status = kWell) {
    return policy_.on_end(member, status, now_);
  }
  // Goes to the time that the policy asked for.
  LaunchActions wait() {
    EXPECT_NE(policy_.next_time(), base::kForever);
    now_ = policy_.next_time();
    return policy_.on_time(now_);
  }

  base::TimePoint now_{seconds(1000)};
  LaunchPolicy policy_{{{{Role::kWorker, 0}, 10},
                        {{Role::kWorker, 1}, 11},
                        {{Role::kPs, 0}, 12},
                        {{Role::kPs, 1}, 13},
                        {{Role::kEvaluator, 0}, 14}},
                       Task{Role::kWorker, 0},
                       seconds(15)};
};

TEST_F(LaunchPolicyTest, AJobWhoseProcessesAllEndWellIsWell) {
  for (const std::size_t member : {1, 2, 0, 3, 4}) {
    EXPECT_FALSE(policy_.done());
    const LaunchActions actions = end(member);
    EXPECT_TRUE(actions.say.empty());
    EXPECT_TRUE(actions.signals.empty());
  }
  EXPECT_TRUE(policy_.done());
  EXPECT_EQ(policy_.exit_code(), 0);
  EXPECT_EQ(policy_.summary(), "");
}

TEST_F(LaunchPolicyTest, WithoutAServerTheOthersGetTheGraceThenTermThenKill) {
  EXPECT_EQ(end(3, {0, SIGKILL}).say,
            Lines{"ps 1 (pid 13) was killed by SIGKILL; the job cannot go on without it, the "
                  "others have 15 s to end by themselves"});
  EXPECT_EQ(policy_.next_time(), now_ + seconds(15));
  EXPECT_TRUE(policy_.on_time(now_ + seconds(14)).signals.empty());

  EXPECT_EQ(end(1, {138, 0}).say, Lines{"worker 1 (pid 11) ended with exit code 138"});
  LaunchActions actions = wait();
  EXPECT_EQ(actions.say, Lines{"worker 0 (pid 10), ps 0 (pid 12), evaluator 0 (pid 14) did not end "
                               "within 15 s after ps 1 failed: sending SIGTERM"});
  EXPECT_EQ(actions.signals, (Signals{{0, SIGTERM}, {2, SIGTERM}, {4, SIGTERM}}));

  EXPECT_TRUE(end(2, {0, SIGTERM}).say.empty());
  EXPECT_TRUE(end(4).say.empty());
  actions = wait();
  EXPECT_EQ(actions.say,
            Lines{"worker 0 (pid 10) did not end within 3 s after SIGTERM: sending SIGKILL"});
  EXPECT_EQ(actions.signals, (Signals{{0, SIGKILL}}));
  EXPECT_EQ(policy_.next_time(), base::kForever);

  EXPECT_TRUE(end(0, {0, SIGKILL}).say.empty());
  EXPECT_TRUE(policy_.done());
  EXPECT_EQ(policy_.exit_code(), 128 + SIGKILL);
  EXPECT_EQ(policy_.summary(),
            "the job failed: first ps 1 (pid 13) was killed by SIGKILL, then 4 others");
}

TEST_F(LaunchPolicyTest, WithoutTheChiefTheJobEnds) {
  EXPECT_EQ(end(0, {3, 0}).say,
            Lines{"worker 0 (pid 10) ended with exit code 3; the job cannot go on without it, the "
                  "others have 15 s to end by themselves"});
  for (const std::size_t member : {1, 2, 3, 4}) end(member, {138, 0});
  EXPECT_EQ(policy_.exit_code(), 3);
}

TEST_F(LaunchPolicyTest, WithoutAnotherWorkerTheOthersDecide) {
  EXPECT_EQ(end(1, {4, 0}).say, Lines{"worker 1 (pid 11) ended with exit code 4; whether the job "
                                      "goes on without it is the others' decision"});
  EXPECT_EQ(policy_.next_time(), base::kForever);
  for (const std::size_t member : {0, 2, 3, 4}) EXPECT_TRUE(end(member).say.empty());
  EXPECT_EQ(policy_.exit_code(), 4);
  EXPECT_EQ(policy_.summary(), "");
}

TEST_F(LaunchPolicyTest, WhoHasToBeEndedAfterTheChiefIsAFailure) {
  end(1);
  end(0);
  end(2);
  end(4);
  EXPECT_EQ(wait().say, Lines{"ps 1 (pid 13) did not end within 15 s after worker 0 ended: "
                              "sending SIGTERM"});
  end(3);
  EXPECT_EQ(policy_.exit_code(), 128 + SIGTERM);
}

TEST_F(LaunchPolicyTest, AServerMayEndWellBeforeTheChief) {
  EXPECT_TRUE(end(2).say.empty());
  EXPECT_EQ(policy_.next_time(), base::kForever);
}

TEST_F(LaunchPolicyTest, TheFirstSignalIsPassedOnAndTheSecondKills) {
  end(4);
  EXPECT_FALSE(policy_.was_signalled());
  LaunchActions actions = policy_.on_signal(SIGINT);
  EXPECT_TRUE(policy_.was_signalled());
  EXPECT_EQ(actions.say, Lines{"SIGINT goes to 4 processes; a second one kills"});
  EXPECT_EQ(actions.signals, (Signals{{0, SIGINT}, {1, SIGINT}, {2, SIGINT}, {3, SIGINT}}));

  EXPECT_TRUE(end(1, {0, SIGINT}).say.empty());
  EXPECT_EQ(end(2, {1, 0}).say.size(), 1U);
  actions = policy_.on_signal(SIGTERM);
  EXPECT_EQ(actions.say, Lines{"a second SIGTERM: killing worker 0 (pid 10), ps 1 (pid 13)"});
  EXPECT_EQ(actions.signals, (Signals{{0, SIGKILL}, {3, SIGKILL}}));
  EXPECT_EQ(policy_.next_time(), base::kForever);
  end(0, {0, SIGKILL});
  end(3, {0, SIGKILL});
  EXPECT_EQ(policy_.exit_code(), 128 + SIGINT);
}

TEST_F(LaunchPolicyTest, ASignalToAJobThatHasEndedDoesNothing) {
  for (const std::size_t member : {0, 1, 2, 3, 4}) end(member);
  EXPECT_TRUE(policy_.on_signal(SIGTERM).say.empty());
}

TEST_F(LaunchPolicyTest, WhoIgnoresASignalIsEndedOnceTheChiefHasEnded) {
  policy_.on_signal(SIGTERM);
  end(0, {0, SIGTERM});
  EXPECT_EQ(wait().signals.size(), 4U);
  EXPECT_EQ(wait().signals.front(), (std::pair<std::size_t, int>{1, SIGKILL}));
}

TEST(LaunchPolicyOfOneTest, TheLastProcessThatFailsHasNoOthers) {
  LaunchPolicy policy({{{Role::kChief, 0}, 10}}, Task{Role::kChief, 0}, seconds(15));
  EXPECT_EQ(policy.on_end(0, {0, SIGSEGV}, base::TimePoint(seconds(1))).say,
            Lines{"chief 0 (pid 10) was killed by SIGSEGV"});
  EXPECT_EQ(policy.exit_code(), 139);
}

}  // namespace
}  // namespace dtrain::app
