#pragma once

#include <sys/types.h>

#include <csignal>
#include <string>
#include <vector>

namespace dtrain::inline v0::process {

/// A program to start.
struct ChildCommand {
  std::string program;                   ///< A path.
  std::vector<std::string> arguments;    ///< The first is the program as the user called it.
  std::vector<std::string> environment;  ///< All of it, as `NAME=value`.
  sigset_t signal_mask;                  ///< Signals that are blocked in it.
  bool capture_output = true;            ///< False: it writes where this process writes.
  /// Of this process: they become 3, 4, ... in the child. The caller keeps its own.
  std::vector<int> descriptors = {};
};

/// A started process, and the reading ends of its output (-1: not captured), which the caller owns.
/// They do not block.
struct ChildProcess {
  pid_t pid = -1;
  int out = -1;
  int err = -1;
};

/// Starts a process in a process group of its own, with /dev/null as standard input. The kernel
/// kills it when the thread that called this ends. It may be called while other threads run:
/// between fork and exec nothing is done that they could have left locked. Throws
/// failed_precondition when the program cannot be executed, resource_exhausted when there are too
/// many processes or files.
ChildProcess start_child(const ChildCommand& command);

}  // namespace dtrain::inline v0::process
