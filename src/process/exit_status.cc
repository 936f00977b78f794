#include "process/exit_status.h"

#include <sys/wait.h>

#include <array>
#include <csignal>
#include <utility>

#include "base/strings.h"

namespace dtrain::inline v0::process {

ExitStatus exit_status_of(int wait_status) {
  if (WIFSIGNALED(wait_status)) return {0, WTERMSIG(wait_status)};
  return {WEXITSTATUS(wait_status), 0};
}

std::string describe(const ExitStatus& status) {
  if (status.signal != 0) return base::str_cat("was killed by ", signal_name(status.signal));
  return base::str_cat("ended with exit code ", status.code);
}

// A table and not sigabbrev_np, which older C libraries do not have.
std::string signal_name(int signal) {
  static constexpr std::array<std::pair<int, const char*>, 17> kNames = {{
      {SIGHUP, "SIGHUP"},
      {SIGINT, "SIGINT"},
      {SIGQUIT, "SIGQUIT"},
      {SIGILL, "SIGILL"},
      {SIGTRAP, "SIGTRAP"},
      {SIGABRT, "SIGABRT"},
      {SIGBUS, "SIGBUS"},
      {SIGFPE, "SIGFPE"},
      {SIGKILL, "SIGKILL"},
      {SIGUSR1, "SIGUSR1"},
      {SIGSEGV, "SIGSEGV"},
      {SIGUSR2, "SIGUSR2"},
      {SIGPIPE, "SIGPIPE"},
      {SIGALRM, "SIGALRM"},
      {SIGTERM, "SIGTERM"},
      {SIGXCPU, "SIGXCPU"},
      {SIGSYS, "SIGSYS"},
  }};
  for (const auto& [number, name] : kNames) {
    if (number == signal) return name;
  }
  return base::str_cat("signal ", signal);
}

}  // namespace dtrain::inline v0::process
