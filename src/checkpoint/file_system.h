#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace dtrain::inline v0::checkpoint {

/// A file being written, front to back. Confined to one thread. Calls throw an Error that names
/// the file. Destruction without close() leaves whatever has been written.
class OutputFile {
 public:
  virtual ~OutputFile() = default;
  virtual void append(std::span<const std::byte> bytes) = 0;
  /// Returns when what was appended would survive a loss of power.
  virtual void sync() = 0;
  virtual void close() = 0;
};

/// A file being read anywhere. Thread-compatible.
class InputFile {
 public:
  virtual ~InputFile() = default;
  virtual std::uint64_t size() const = 0;
  /// Fills `out`; throws data_loss when the file ends before.
  virtual void read(std::uint64_t offset, std::span<std::byte> out) const = 0;
};

/// What checkpoints need of a file system, so that tests can let every call fail. Errors are
/// thrown and name the path. The real one is thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// Creates the file, or empties it.
  virtual std::unique_ptr<OutputFile> create(const std::string& path) = 0;
  /// Throws not_found when there is none.
  virtual std::unique_ptr<InputFile> open(const std::string& path) = 0;
  /// Takes the place of what has the new name, in one piece.
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void remove(const std::string& path) = 0;
  /// Names, without the folder; throws not_found when there is no such folder.
  virtual std::vector<std::string> list(const std::string& folder) = 0;
  /// With its parents, so that they would survive a loss of power; nothing when it exists.
  virtual void make_folder(const std::string& folder) = 0;
  /// Returns when the names created, changed and removed in it would survive a loss of power.
  virtual void sync_folder(const std::string& folder) = 0;
};

/// The machine's own.
std::unique_ptr<FileSystem> make_real_file_system();

}  // namespace dtrain::inline v0::checkpoint
