#include "process/child_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "dtrain/error.h"
#include "process/exit_status.h"

namespace dtrain::process {
namespace {

namespace fs = std::filesystem;

ChildCommand shell(const std::string& script) {
  ChildCommand command{"/bin/sh", {"sh", "-c", script}, {"NAME=value", "PATH=/usr/bin:/bin"}, {}};
  sigemptyset(&command.signal_mask);
  return command;
}

// Reads to the end of the file.
std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    pollfd polled{fd, POLLIN, 0};
    poll(&polled, 1, -1);
    const ssize_t count = read(fd, buffer, sizeof(buffer));
    if (count <= 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  close(fd);
  return text;
}

ExitStatus collect(pid_t pid) {
  int raw = 0;
  EXPECT_EQ(waitpid(pid, &raw, 0), pid);
  return exit_status_of(raw);
}

TEST(ChildProcessTest, GivesBothOutputsAndOnlyTheEnvironmentItWasGiven) {
  const ChildProcess child = start_child(shell("echo $NAME-$HOME; echo bad >&2; exit 4"));
  EXPECT_EQ(read_all(child.out), "value-\n");
  EXPECT_EQ(read_all(child.err), "bad\n");
  EXPECT_EQ(collect(child.pid), (ExitStatus{4, 0}));
}

TEST(ChildProcessTest, StandardInputIsEmptyAndTheGroupIsItsOwn) {
  const ChildProcess child = start_child(shell("cat; cut -d ' ' -f 5 /proc/$$/stat; echo $$"));
  const std::string out = read_all(child.out);
  close(child.err);
  const std::string pid = std::to_string(child.pid);
  EXPECT_EQ(out, pid + "\n" + pid + "\n");
  collect(child.pid);
}

TEST(ChildProcessTest, InheritsNoDescriptorButItsThree) {
  // What this test was started with is not the library's doing.
  for (int fd = 3; fd < 1024; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);
  const ChildProcess child = start_child(shell("ls /proc/$$/fd"));
  const std::string out = read_all(child.out);
  close(child.err);
  collect(child.pid);
  EXPECT_EQ(out, "0\n1\n2\n");
}

TEST(ChildProcessTest, DescriptorsStandInTheOrderAsked) {
  int first[2];
  int second[2];
  ASSERT_EQ(pipe2(first, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(second, O_CLOEXEC), 0);
  ChildCommand command = shell("echo third >&3; echo fourth >&4");
  // Whichever of them are low numbers here, none may be overwritten before it was moved.
  command.descriptors = {second[1], first[1]};
  command.capture_output = false;
  const ChildProcess child = start_child(command);
  EXPECT_EQ(child.out, -1);
  EXPECT_EQ(child.err, -1);
  close(first[1]);
  close(second[1]);
  EXPECT_EQ(read_all(second[0]), "third\n");
  EXPECT_EQ(read_all(first[0]), "fourth\n");
  EXPECT_EQ(collect(child.pid), (ExitStatus{0, 0}));
}

TEST(ChildProcessTest, AProgramThatCannotBeExecutedIsAnErrorHere) {
  const fs::path script =
      fs::temp_directory_path() / ("dtrain-child-" + std::to_string(getpid()) + ".sh");
  const auto error_of = [&script](const std::string& text) -> std::string {
    std::ofstream(script) << text;
    fs::permissions(script, fs::perms::owner_all);
    ChildCommand command = shell("");
    command.program = script;
    try {
      start_child(command);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kFailedPrecondition);
      return error.what();
    }
    return {};
  };
  EXPECT_NE(error_of("echo no interpreter\n").find("no #! line"), std::string::npos);
  EXPECT_NE(error_of("#!/no/such/interpreter\n").find("Its interpreter"), std::string::npos);
  fs::remove(script);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // nobody is left to collect
}

}  // namespace
}  // namespace dtrain::process
