#pragma once

#include <string>

namespace dtrain::inline v0::process {

/// How a process ended: with an exit code, or killed by a signal (not 0).
struct ExitStatus {
  int code = 0;
  int signal = 0;

  bool ok() const { return code == 0 && signal == 0; }
  /// As a shell reports it: the code, or 128 + signal.
  int shell_code() const { return signal != 0 ? 128 + signal : code; }

  bool operator==(const ExitStatus&) const = default;
};

/// From what waitpid() filled in for a process that has ended.
ExitStatus exit_status_of(int wait_status);

/// `ended with exit code 3` or `was killed by SIGKILL`.
std::string describe(const ExitStatus& status);

/// `SIGTERM`; `signal 64` for one without a common name.
std::string signal_name(int signal);

}  // namespace dtrain::inline v0::process
