#include "bench/child.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "base/strings.h"
#include "dtrain/error.h"
#include "support/process.h"
#include "support/time_scale.h"

namespace dtrain::bench {
namespace {

using process::ExitStatus;

TEST(ChildTest, GetsItsArgumentsDescriptorsAndEnvironment) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "bytes", 5), 5);
  Child child({.role = "tell",
               .arguments = {"--gtest_help", ""},
               .descriptors = {ends[0]},
               .environment = {"BENCH_TEST=yes"}});
  EXPECT_EQ(child.channel().receive(), "--gtest_help, |yes|bytes");
  EXPECT_EQ(child.wait(support::scaled(std::chrono::seconds(20))), (ExitStatus{0, 0}));
  close(ends[0]);
  close(ends[1]);
}

TEST(ChildTest, AFailureEndsItAndIsSeenByTheParent) {
  Child child({.role = "throw"});
  EXPECT_THROW(child.channel().receive(), Error);
  EXPECT_EQ(child.wait(support::scaled(std::chrono::seconds(20))), (ExitStatus{1, 0}));
  Child unknown({.role = "no such role"});
  EXPECT_THROW(unknown.channel().receive(), Error);
  EXPECT_EQ(unknown.wait(support::scaled(std::chrono::seconds(20))), (ExitStatus{2, 0}));
}

TEST(ChildTest, EndsWithItsObjectAndWithItsParent) {
  const std::string mark = base::str_cat("BENCH_MARK=", getpid());
  {
    Child child({.role = "echo", .environment = {mark}});
    child.channel().send("up");
    child.channel().receive();
    EXPECT_EQ(support::processes_with_environment(mark).size(), 1U);
  }
  EXPECT_TRUE(support::processes_with_environment(mark).empty());

  Child child({.role = "parent", .environment = {mark}});
  child.channel().receive();
  EXPECT_EQ(support::processes_with_environment(mark).size(), 2U);
  child.send_signal(SIGKILL);
  EXPECT_EQ(child.wait(support::scaled(std::chrono::seconds(20))), (ExitStatus{0, SIGKILL}));
  EXPECT_TRUE(
      support::eventually([&] { return support::processes_with_environment(mark).empty(); }));
}

TEST(ChildTest, AProgramThatDoesNotRunItsRolesStartsNoChildren) {
  setenv("DTRAIN_BENCH_CHILD", "1", 1);
  EXPECT_THROW(Child({.role = "echo"}), Error);
  unsetenv("DTRAIN_BENCH_CHILD");
}

}  // namespace
}  // namespace dtrain::bench
