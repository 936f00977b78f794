#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/file_system.h"
#include "checkpoint/tensor_io.h"
#include "observe/log.h"

namespace dtrain::inline v0::checkpoint {

/// A folder of checkpoints `ckpt-<step>` and the state file `checkpoint` that says which of them
/// count. One process writes to it at a time. Confined to one thread.
///
/// What is saved appears in one piece: data under a temporary name, brought to the disk and
/// renamed; then the state file in the same way; then the oldest beyond `max_to_keep` go. Whenever
/// the process dies or the power fails, the newest in the state file is a whole checkpoint.
class Directory {
 public:
  Directory(FileSystem& files, std::string path, observe::Logger logger);

  /// The newest checkpoint's path: the state file's newest that exists, or without a state file the
  /// one with the highest step. Empty when there is none, or no folder. Only reads.
  std::optional<std::string> latest() const;

  /// Makes the folder ready for save(): creates it, finds out whether files can be written there,
  /// and removes what saves that were cut short have left. Throws an Error that names the folder.
  void prepare();

  /// Saves what `write` writes as the newest checkpoint, replacing one of the same step, and keeps
  /// the newest `max_to_keep`. After an error the newest is the one before, or this one if it is
  /// whole; what is left over is removed by the next prepare(). Returns the file's path.
  std::string save(std::int64_t step, int max_to_keep, const std::function<void(Writer&)>& write);

 private:
  std::string path_of(const std::string& name) const { return path_ + "/" + name; }
  /// The checkpoints that count, oldest first.
  std::vector<std::string> kept() const;
  std::vector<std::string> list() const;
  void remove_if_possible(const std::string& path);
  void write_state(const std::vector<std::string>& names);

  FileSystem& files_;
  const std::string path_;
  const observe::Logger logger_;
};

/// Opens a checkpoint of any format that this version reads: today dtrain's own.
std::unique_ptr<Reader> open_checkpoint(FileSystem& files, const std::string& path);

}  // namespace dtrain::inline v0::checkpoint
