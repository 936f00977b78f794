#pragma once

#include <string>
#include <vector>

namespace dtrain::inline v0::app {

/// What the command line of `dtrain launch` says.
struct LaunchOptions {
  int workers = 1;
  int ps = 0;
  bool chief = false;
  bool evaluator = false;
  int threads_per_process = 0;  ///< 0 splits the cores that this process may use.
  double grace_s = 15.0;
  bool memory = false;               ///< Say at the end how much memory each process took.
  bool generic_ps = false;           ///< Servers run `dtrain ps` and not the program.
  std::vector<std::string> command;  ///< The program and its arguments.
};

}  // namespace dtrain::inline v0::app
