#include "process/exit_status.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

namespace dtrain::process {
namespace {

TEST(ExitStatusTest, TellsExitsFromSignals) {
  const ExitStatus exited = exit_status_of(std::system("exit 3"));
  EXPECT_EQ(exited, (ExitStatus{3, 0}));
  EXPECT_EQ(exited.shell_code(), 3);
  EXPECT_EQ(describe(exited), "ended with exit code 3");

  const ExitStatus killed = exit_status_of(std::system("kill -9 $$"));
  EXPECT_EQ(killed, (ExitStatus{0, SIGKILL}));
  EXPECT_EQ(killed.shell_code(), 137);
  EXPECT_FALSE(killed.ok());
  EXPECT_EQ(describe(killed), "was killed by SIGKILL");
}

TEST(ExitStatusTest, NamesSignals) {
  EXPECT_EQ(signal_name(SIGSEGV), "SIGSEGV");
  EXPECT_EQ(signal_name(SIGRTMAX), "signal " + std::to_string(SIGRTMAX));
}

}  // namespace
}  // namespace dtrain::process
