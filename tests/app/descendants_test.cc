#include "app/descendants.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "process/child_process.h"
#include "support/process.h"
#include "support/time_scale.h"

namespace dtrain::app {
namespace {

using process::ChildCommand;
using process::ChildProcess;
using process::start_child;

ChildCommand shell(const std::string& script) {
  ChildCommand command{"/bin/sh", {"sh", "-c", script}, {"NAME=value", "PATH=/usr/bin:/bin"}, {}};
  sigemptyset(&command.signal_mask);
  return command;
}

TEST(DescendantsTest, KillsGrandchildrenInOtherSessionsToo) {
  adopt_orphans();
  const std::string mark = "DTRAIN_DESCENDANTS_TEST=" + std::to_string(getpid());
  ChildCommand command = shell("setsid sh -c 'sleep 600 & sleep 600' & sleep 600 & wait");
  command.environment.push_back(mark);
  const ChildProcess child = start_child(command);
  close(child.out);
  close(child.err);
  ASSERT_TRUE(support::eventually(
      [&mark] { return support::processes_with_environment(mark).size() == 5; }));
  EXPECT_TRUE(kill_descendants());
  EXPECT_TRUE(support::processes_with_environment(mark).empty());
}

TEST(DescendantsTest, WithoutChildrenThereIsNothingToDo) { EXPECT_TRUE(kill_descendants()); }

}  // namespace
}  // namespace dtrain::app
