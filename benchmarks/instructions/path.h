#pragma once

#include <functional>
#include <string>
#include <vector>

namespace dtrain::instructions {

/// Something that a training step does, and that costs the same instructions every time.
struct Path {
  std::string name;  ///< As in recorded.json: `<what>/<which>/<size>`.
  std::function<void()> run;
  /// Whether the runs have done what they should; called once, after all of them.
  std::function<bool()> right;
};

// Each appends its paths, ready to run.
void add_exchange_paths(std::vector<Path>& paths);
void add_row_paths(std::vector<Path>& paths);
void add_message_paths(std::vector<Path>& paths);
void add_compute_paths(std::vector<Path>& paths);
void add_training_paths(std::vector<Path>& paths);

}  // namespace dtrain::instructions
