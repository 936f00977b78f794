#pragma once

#include <map>
#include <memory>
#include <string>

#include "checkpoint/file_system.h"

namespace dtrain::inline v0::checkpoint {

/// What the process dies of in a simulated crash: no dtrain::Error, so that nobody handles it.
struct Crash {};

/// Files in memory, with what a disk would have of them: contents up to the last sync(), and the
/// names of a folder at its last sync_folder(). One call can fail or crash the process.
class SimFileSystem final : public FileSystem {
 public:
  enum class Fault { kNone, kError, kCrash };

  /// Lets call number `call` (from 0, counted from now) end so. kError: half of an append is done,
  /// of anything else nothing. kCrash: the same, and every later call crashes too.
  void set_fault(Fault fault, int call);
  int calls() const { return calls_; }
  /// The process is started anew on what the last left.
  void restart() {
    dead_ = false;
    set_fault(Fault::kNone, 0);
  }
  /// As restart(), after the machine lost power: what was brought to the disk is left, and of each
  /// other change of a name or a file it is drawn whether it got there by itself.
  void lose_power(std::uint64_t seed);

  std::unique_ptr<OutputFile> create(const std::string& path) override;
  std::unique_ptr<InputFile> open(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  std::vector<std::string> list(const std::string& folder) override;
  void make_folder(const std::string& folder) override;
  void sync_folder(const std::string& folder) override;

  /// A file's bytes, to look at and to damage.
  std::string& bytes(const std::string& path) { return names_.at(path)->bytes; }

 private:
  friend class SimOutputFile;
  struct Node {
    std::string bytes;
    std::string on_disk;
  };
  using Names = std::map<std::string, std::shared_ptr<Node>>;

  /// Counts a call; true when it must fail in the middle. Throws when the process is dead.
  bool enter();
  [[noreturn]] void end(const std::string& path);
  /// A call that does all or nothing.
  void enter_whole(const std::string& path) {
    if (enter()) end(path);
  }

  Names names_;
  Names names_on_disk_;
  bool has_folder_ = false;
  Fault fault_ = Fault::kNone;
  int fault_call_ = 0;
  int calls_ = 0;
  bool dead_ = false;
};

}  // namespace dtrain::inline v0::checkpoint
