#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/launch_policy.h"
#include "base/clock.h"

namespace dtrain::inline v0::app {

/// A process's proportional set size (Pss) in bytes: its own memory, and of what it shares with
/// others its share. Empty when the process is gone or is not ours to look at.
std::optional<std::uint64_t> proportional_set_bytes(pid_t pid);

/// The figure in the text of /proc/<pid>/smaps_rollup.
std::optional<std::uint64_t> parse_proportional_set(std::string_view smaps_rollup);

/// The largest Pss of each of a launched cluster's processes, as far as looking at them every
/// `interval` shows it. Thread-compatible.
class MemoryWatch {
 public:
  MemoryWatch(const std::vector<LaunchMember>& members, base::Duration interval);

  base::TimePoint next_time() const { return next_time_; }
  /// Looks at all of them if it is time.
  void on_time(base::TimePoint now);

  /// Lines for the user, largest first: `worker 0: 12.3 MiB`.
  std::vector<std::string> report() const;

 private:
  struct Peak {
    LaunchMember who;
    std::uint64_t bytes = 0;
  };

  const base::Duration interval_;
  base::TimePoint next_time_{};
  std::vector<Peak> peaks_;
};

}  // namespace dtrain::inline v0::app
