#include "bench/child.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>

#include "base/strings.h"
#include "dtrain/error.h"
#include "process/child_process.h"

namespace dtrain::inline v0::bench {
namespace {

// argv[1] of a child. Behind it: the role, the number of descriptors, the role's own arguments.
constexpr std::string_view kMark = "--dtrain-bench-child";
constexpr int kFixedArguments = 4;
constexpr int kChannelFd = 3;
// Set in a child until run_child_role() has seen it: where main() does not call that, the child
// would be the whole program once more, and start children of its own, without end.
constexpr const char* kGuard = "DTRAIN_BENCH_CHILD";

std::string name_of(std::string_view entry) {
  return std::string(entry.substr(0, entry.find('=')));
}

std::vector<std::string> environment_with(const std::vector<std::string>& added) {
  std::vector<std::string> environment = added;
  environment.push_back(base::str_cat(kGuard, "=1"));
  const std::size_t own = environment.size();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const auto is_replaced = [entry](const std::string& other) {
      return name_of(other) == name_of(*entry);
    };
    const auto end = environment.begin() + static_cast<std::ptrdiff_t>(own);
    if (std::none_of(environment.begin(), end, is_replaced)) environment.emplace_back(*entry);
  }
  return environment;
}

// A descriptor that poll() can wait on for the end of a process.
int open_process(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

}  // namespace

std::optional<int> run_child_role(int argc, char** argv, std::span<const ChildRole> roles) {
  if (argc < kFixedArguments || argv[1] != kMark) return std::nullopt;
  unsetenv(kGuard);
  const std::string_view name = argv[2];
  const auto role = std::find_if(roles.begin(), roles.end(),
                                 [name](const ChildRole& other) { return other.name == name; });
  if (role == roles.end()) {
    std::cerr << argv[0] << ": there is no child role \"" << name << "\"\n";
    return 2;
  }
  Channel parent(kChannelFd, "the parent process");
  ChildSide side{parent, {argv + kFixedArguments, argv + argc}, {}};
  for (int i = 0; i < std::atoi(argv[3]); ++i) side.descriptors.push_back(kChannelFd + 1 + i);
  try {
    role->run(side);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << argv[0] << " (" << name << "): " << error.what() << "\n";
    return 1;
  }
}

Child::Child(const ChildOptions& options) {
  if (std::getenv(kGuard) != nullptr) {
    throw Error(ErrorCode::kFailedPrecondition,
                base::str_cat("The child process \"", options.role, "\" would start itself"),
                "Call bench::run_child_role() first in main()");
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw Error(ErrorCode::kResourceExhausted,
                base::str_cat("Cannot open a pair of sockets: ", std::strerror(errno)),
                "Raise the limit of open files (ulimit -n)");
  }
  process::ChildCommand command;
  command.program = "/proc/self/exe";  // also when the file has been replaced since
  command.arguments = {program_invocation_name, std::string(kMark), options.role,
                       std::to_string(options.descriptors.size())};
  command.arguments.insert(command.arguments.end(), options.arguments.begin(),
                           options.arguments.end());
  command.environment = environment_with(options.environment);
  sigemptyset(&command.signal_mask);
  command.capture_output = false;
  command.descriptors = {ends[1]};
  command.descriptors.insert(command.descriptors.end(), options.descriptors.begin(),
                             options.descriptors.end());
  try {
    pid_ = process::start_child(command).pid;
  } catch (...) {
    close(ends[0]);
    close(ends[1]);
    throw;
  }
  close(ends[1]);
  channel_ = std::make_unique<Channel>(
      ends[0], base::str_cat("The child process \"", options.role, "\" (pid ", pid_, ")"));
}

Child::~Child() {
  if (status_) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Child::send_signal(int signal) {
  if (!status_) kill(pid_, signal);
}

std::optional<process::ExitStatus> Child::wait(base::Duration limit) {
  if (status_) return status_;
  const int fd = open_process(pid_);
  pollfd polled{fd, POLLIN, 0};
  const auto limit_ms = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
  poll(&polled, 1, static_cast<int>(limit_ms));
  if (fd >= 0) close(fd);
  int raw = 0;
  if (waitpid(pid_, &raw, WNOHANG) == pid_) status_ = process::exit_status_of(raw);
  return status_;
}

}  // namespace dtrain::inline v0::bench
