#include "app/keeper.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>

#include "app/descendants.h"
#include "base/strings.h"
#include "dtrain/error.h"
#include "process/exit_status.h"

namespace dtrain::inline v0::app {
namespace {

[[noreturn]] void keep(const std::function<int(int, const sigset_t&)>& job, int liveness_fd,
                       const sigset_t& mask) {
  // A group of its own: a terminal's Ctrl-C comes once, through the process in front.
  setpgid(0, 0);
  adopt_orphans();
  int code = 1;
  try {
    code = job(liveness_fd, mask);
  } catch (const std::exception& error) {
    std::cerr << "dtrain launch: " << error.what() << std::endl;
  }
  kill_descendants();
  _exit(code);
}

// Passes signals on until the keeper has ended.
process::ExitStatus watch(pid_t keeper, const sigset_t& signals) {
  for (;;) {
    const int signal = sigwaitinfo(&signals, nullptr);
    if (signal > 0 && signal != SIGCHLD) kill(keeper, signal);
    int raw = 0;
    if (waitpid(keeper, &raw, WNOHANG) == keeper) return process::exit_status_of(raw);
  }
}

}  // namespace

sigset_t kept_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD}) sigaddset(&signals, signal);
  return signals;
}

int run_kept(const std::function<int(int liveness_fd, const sigset_t& mask)>& job) {
  int liveness[2];
  if (pipe2(liveness, O_CLOEXEC) != 0) {
    throw Error(ErrorCode::kResourceExhausted,
                base::str_cat("Cannot open a pipe: ", std::strerror(errno)),
                "Raise the limit of open files (ulimit -n)");
  }
  const sigset_t signals = kept_signals();
  sigset_t mask;
  sigprocmask(SIG_BLOCK, &signals, &mask);
  // Ignored, children would vanish without a word, and writing to a closed pipe would kill.
  signal(SIGCHLD, SIG_DFL);
  signal(SIGPIPE, SIG_IGN);
  adopt_orphans();
  std::cout.flush();
  const pid_t keeper = fork();
  if (keeper < 0) {
    throw Error(ErrorCode::kResourceExhausted,
                base::str_cat("Cannot start another process: ", std::strerror(errno)),
                "Raise the limit of processes (ulimit -u)");
  }
  if (keeper == 0) {
    close(liveness[1]);
    keep(job, liveness[0], mask);
  }
  close(liveness[0]);
  const process::ExitStatus status = watch(keeper, signals);
  kill_descendants();
  close(liveness[1]);
  if (status.signal != 0) {
    std::cerr << "dtrain launch: its keeper (pid " << keeper << ") " << process::describe(status)
              << "; every process of the job was killed" << std::endl;
  }
  return status.shell_code();
}

}  // namespace dtrain::inline v0::app
