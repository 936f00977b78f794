#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "dtrain/export.h"

namespace dtrain::inline v0 {

/// When fit() saves into its FitOptions::checkpoint_dir, and what it does with what lies there.
/// Without `every_steps` and `every` it saves after each epoch. Either way it saves when the
/// training ends.
struct CheckpointOptions {
  /// After each so many updates; 0: not by steps.
  std::int64_t every_steps = 0;
  /// After an update that ends so long after the last save; 0: not by time.
  std::chrono::milliseconds every{0};
  /// The newest so many stay; at least 1.
  int max_to_keep = 5;
  /// Goes on from the newest checkpoint in the folder, if there is one. False: starts anew; what
  /// is saved then counts as newer than what lies there.
  bool resume = true;
};

/// The path of the newest whole checkpoint in `directory`; empty when there is none, or no such
/// folder. Any thread, and while another process writes there. Throws what reading the folder
/// throws, and data_loss for a state file that is not one.
DTRAIN_EXPORT std::optional<std::string> latest_checkpoint(const std::string& directory);

}  // namespace dtrain::inline v0
