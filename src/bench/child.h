#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/channel.h"
#include "process/exit_status.h"

namespace dtrain::inline v0::bench {

/// What a child process was started with.
struct ChildSide {
  Channel& parent;
  std::vector<std::string> arguments;
  std::vector<int> descriptors;  ///< The child's, to be closed by it or never.
};

/// Something that this program does in a child process. `run` returns when it is done, or when the
/// parent has ended (Channel::receive_or_end); what it throws is written to standard error.
struct ChildRole {
  std::string_view name;
  void (*run)(ChildSide& side);
};

/// The first thing that main() calls in a program that starts children: they are the same program
/// again. In a child, runs its role and returns what main() shall return; nothing elsewhere.
std::optional<int> run_child_role(int argc, char** argv, std::span<const ChildRole> roles);

struct ChildOptions {
  std::string role;
  std::vector<std::string> arguments = {};
  /// Of this process; the child gets copies. The caller keeps its own.
  std::vector<int> descriptors = {};
  std::vector<std::string> environment = {};  ///< `NAME=value`, over those of this process.
};

/// A process that runs one role of this program, started anew (not forked: this one may have
/// threads and sockets). It writes where this one writes, and does not outlive the object, this
/// process or the thread that made it. Confined to one thread.
class Child {
 public:
  /// Throws failed_precondition in a program whose main() does not call run_child_role(), and what
  /// process::start_child() throws.
  explicit Child(const ChildOptions& options);
  /// Kills it.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  Channel& channel() { return *channel_; }
  pid_t pid() const { return pid_; }
  void send_signal(int signal);
  /// Waits until it has ended by itself; nothing when `limit` passed first. The answer stays.
  std::optional<process::ExitStatus> wait(base::Duration limit);

 private:
  pid_t pid_ = -1;
  std::unique_ptr<Channel> channel_;
  std::optional<process::ExitStatus> status_;
};

}  // namespace dtrain::inline v0::bench
