#include "process/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::process {
namespace {

// Closes what is still open when starting fails half-way.
struct Pipe {
  int read = -1;
  int write = -1;

  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
      throw Error(ErrorCode::kResourceExhausted,
                  base::str_cat("Cannot open a pipe: ", std::strerror(errno)),
                  "Raise the limit of open files (ulimit -n)");
    }
    read = ends[0];
    write = ends[1];
  }
  ~Pipe() {
    close_end(read);
    close_end(write);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  static void close_end(int& fd) {
    if (fd >= 0) close(fd);
    fd = -1;
  }
  int take_read() { return std::exchange(read, -1); }
};

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& string : strings) result.push_back(string.data());
  result.push_back(nullptr);
  return result;
}

// What the child needs to know, all of it prepared: it may not allocate.
struct Plan {
  const char* program;
  char** arguments;
  char** environment;
  const sigset_t* mask;
  int out;  // -1: stays what it is
  int err;
  int* descriptors;  // become 3, 4, ...
  int descriptor_count;
  int report;
  pid_t parent;
};

bool redirect(int fd, int target) { return fd < 0 || dup2(fd, target) >= 0; }

// Puts the descriptors where they belong. First all of them go above those places, so that none is
// overwritten before it was moved.
bool place_descriptors(Plan& plan) {
  const int first = STDERR_FILENO + 1;
  const int end = first + plan.descriptor_count;
  plan.report = fcntl(plan.report, F_DUPFD_CLOEXEC, end);
  if (plan.report < 0) return false;
  for (int i = 0; i < plan.descriptor_count; ++i) {
    plan.descriptors[i] = fcntl(plan.descriptors[i], F_DUPFD_CLOEXEC, end);
    if (plan.descriptors[i] < 0) return false;
  }
  for (int i = 0; i < plan.descriptor_count; ++i) {
    if (dup2(plan.descriptors[i], first + i) < 0) return false;
  }
  return true;
}

// In the child, between fork and exec: system calls only. Tells `report` why it failed.
[[noreturn]] void become(Plan plan) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above.
  if (getppid() != plan.parent) _exit(1);
  signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, plan.mask, nullptr);
  const int in = open("/dev/null", O_RDONLY);
  if (in >= 0 && dup2(in, STDIN_FILENO) >= 0 && redirect(plan.out, STDOUT_FILENO) &&
      redirect(plan.err, STDERR_FILENO)) {
    if (in > STDERR_FILENO) close(in);
    if (place_descriptors(plan)) execve(plan.program, plan.arguments, plan.environment);
  }
  const int reason = errno;
  [[maybe_unused]] const auto written = write(plan.report, &reason, sizeof(reason));
  _exit(127);
}

[[noreturn]] void fail_to_execute(const std::string& program, int reason) {
  std::string advice = "Check that it runs by itself";
  if (reason == ENOEXEC) advice = "It is no binary of this machine, and has no #! line at its top";
  if (reason == ENOENT) advice = "Its interpreter (the #! line) or its loader does not exist";
  throw Error(ErrorCode::kFailedPrecondition,
              base::str_cat("\"", program, "\" cannot be executed: ", std::strerror(reason)),
              advice);
}

}  // namespace

ChildProcess start_child(const ChildCommand& command) {
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = command.environment;
  const auto argument_pointers = pointers(arguments);
  const auto environment_pointers = pointers(environment);
  std::vector<int> descriptors = command.descriptors;
  std::optional<Pipe> out;
  std::optional<Pipe> err;
  if (command.capture_output) {
    out.emplace();
    err.emplace();
  }
  Pipe report;
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) {
    throw Error(ErrorCode::kResourceExhausted,
                base::str_cat("Cannot start another process: ", std::strerror(errno)),
                "Raise the limit of processes (ulimit -u), or start fewer");
  }
  if (pid == 0) {
    become({.program = command.program.c_str(),
            .arguments = const_cast<char**>(argument_pointers.data()),
            .environment = const_cast<char**>(environment_pointers.data()),
            .mask = &command.signal_mask,
            .out = out ? out->write : -1,
            .err = err ? err->write : -1,
            .descriptors = descriptors.data(),
            .descriptor_count = static_cast<int>(descriptors.size()),
            .report = report.write,
            .parent = parent});
  }
  Pipe::close_end(report.write);
  int reason = 0;
  // The end of the pipe means that exec closed it: the program runs.
  while (read(report.read, &reason, sizeof(reason)) < 0 && errno == EINTR) {
  }
  if (reason != 0) {
    waitpid(pid, nullptr, 0);
    fail_to_execute(command.program, reason);
  }
  if (!command.capture_output) return {pid, -1, -1};
  fcntl(out->read, F_SETFL, O_NONBLOCK);
  fcntl(err->read, F_SETFL, O_NONBLOCK);
  return {pid, out->take_read(), err->take_read()};
}

}  // namespace dtrain::inline v0::process
