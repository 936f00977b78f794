#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/strings.h"
#include "checkpoint/file_system.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::checkpoint {
namespace {

constexpr mode_t kFileMode = 0666;  // and the user's umask

struct Meaning {
  ErrorCode code;
  const char* advice;
};

Meaning meaning_of(int number) {
  switch (number) {
    case ENOENT:
      return {ErrorCode::kNotFound, "Check the path"};
    case EACCES:
    case EPERM:
    case EROFS:
      return {ErrorCode::kFailedPrecondition, "Let this user read and write there"};
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
      return {ErrorCode::kInvalidArgument, "Give a folder that can exist"};
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return {ErrorCode::kResourceExhausted, "Make room, or give another folder"};
    case EMFILE:
    case ENFILE:
      return {ErrorCode::kResourceExhausted, "Raise the limit of open files"};
    case EIO:
      return {ErrorCode::kDataLoss, "See what the system's log says about the disk"};
    default:
      return {ErrorCode::kUnavailable, "See whether the disk or file server works"};
  }
}

[[noreturn]] void fail(const char* what, const std::string& path, int number) {
  const Meaning meaning = meaning_of(number);
  throw Error(meaning.code,
              base::str_cat("\"", path, "\" cannot be ", what, ": ", std::strerror(number)),
              meaning.advice);
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

class RealOutputFile final : public OutputFile {
 public:
  explicit RealOutputFile(const std::string& path)
      : path_(path),
        file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kFileMode)) {
    if (file_.get() < 0) fail("created", path_, errno);
  }

  void append(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("written", path_, errno);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  void sync() override {
    if (::fsync(file_.get()) != 0) fail("brought to the disk", path_, errno);
  }

  void close() override {
    if (::close(file_.release()) != 0 && errno != EINTR) fail("closed", path_, errno);
  }

 private:
  const std::string path_;
  Descriptor file_;
};

class RealInputFile final : public InputFile {
 public:
  explicit RealInputFile(const std::string& path)
      : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat status {};
    if (file_.get() < 0 || ::fstat(file_.get(), &status) != 0) fail("opened", path_, errno);
    if (S_ISDIR(status.st_mode)) fail("opened", path_, EISDIR);
    size_ = static_cast<std::uint64_t>(status.st_size);
  }

  std::uint64_t size() const override { return size_; }

  void read(std::uint64_t offset, std::span<std::byte> out) const override {
    while (!out.empty()) {
      const ssize_t count =
          ::pread(file_.get(), out.data(), out.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail("read", path_, errno);
      if (count == 0) {
        throw Error(ErrorCode::kDataLoss,
                    base::str_cat("\"", path_, "\" ends at byte ", offset, ", too early"));
      }
      offset += static_cast<std::uint64_t>(count);
      out = out.subspan(static_cast<std::size_t>(count));
    }
  }

 private:
  const std::string path_;
  const Descriptor file_;
  std::uint64_t size_ = 0;
};

class RealFileSystem final : public FileSystem {
 public:
  std::unique_ptr<OutputFile> create(const std::string& path) override {
    return std::make_unique<RealOutputFile>(path);
  }

  std::unique_ptr<InputFile> open(const std::string& path) override {
    return std::make_unique<RealInputFile>(path);
  }

  void rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) fail("renamed", from, errno);
  }

  void remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) fail("removed", path, errno);
  }

  std::vector<std::string> list(const std::string& folder) override {
    std::error_code error;
    std::vector<std::string> names;
    std::filesystem::directory_iterator at(folder, error);
    const std::filesystem::directory_iterator end;
    while (!error && at != end) {
      names.push_back(at->path().filename().string());
      at.increment(error);
    }
    if (error) fail("listed", folder, error.value());
    std::ranges::sort(names);
    return names;
  }

  void make_folder(const std::string& folder) override {
    std::error_code error;
    std::vector<std::filesystem::path> missing;
    for (auto at = std::filesystem::absolute(folder, error);
         !at.empty() && !std::filesystem::exists(at, error) && !error; at = at.parent_path()) {
      missing.push_back(at);
    }
    if (!error) std::filesystem::create_directories(folder, error);
    if (error) fail("made", folder, error.value());
    for (const auto& path : missing) sync_folder(path.parent_path().string());
  }

  void sync_folder(const std::string& folder) override {
    const Descriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (file.get() < 0) fail("opened", folder, errno);
    // Some network file systems do not offer it and need it not: renames are the server's.
    if (::fsync(file.get()) != 0 && errno != EINVAL) fail("brought to the disk", folder, errno);
  }
};

}  // namespace

std::unique_ptr<FileSystem> make_real_file_system() { return std::make_unique<RealFileSystem>(); }

}  // namespace dtrain::inline v0::checkpoint
