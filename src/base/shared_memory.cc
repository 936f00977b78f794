#include "base/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/strings.h"

namespace dtrain::inline v0::base {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

Error refused(const char* call) {
  const int error = errno;
  return Error(error == ENOMEM || error == ENOSPC || error == EMFILE || error == ENFILE
                   ? ErrorCode::kResourceExhausted
                   : ErrorCode::kUnavailable,
               str_cat(call, ": ", std::strerror(error)));
}

Error not_ours(const char* what) {
  return Error(ErrorCode::kProtocol, str_cat("a peer's shared memory ", what));
}

class FdGuard {
 public:
  explicit FdGuard(int fd) : fd_(fd) {}
  ~FdGuard() {
    if (fd_ >= 0) ::close(fd_);
  }
  FdGuard(const FdGuard&) = delete;
  FdGuard& operator=(const FdGuard&) = delete;
  int get() const { return fd_; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};

/// Gives the file its pages, so that none is missing when it is written to.
bool allocate(int fd, std::size_t bytes) {
  // The kernel would allocate page after page until it has none left for anybody.
  struct sysinfo machine {};
  if (sysinfo(&machine) != 0 || bytes / machine.mem_unit >= machine.totalram) {
    errno = ENOMEM;
    return false;
  }
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) return false;
  // In pieces: a signal makes the kernel give back what the call has allocated so far.
  constexpr std::size_t kPieceBytes = 4 << 20;
  for (std::size_t at = 0; at < bytes; at += kPieceBytes) {
    const std::size_t piece = std::min(kPieceBytes, bytes - at);
    int result;
    do {
      result = fallocate(fd, 0, static_cast<off_t>(at), static_cast<off_t>(piece));
    } while (result != 0 && errno == EINTR);
    if (result != 0) return errno == EOPNOTSUPP || errno == ENOSYS;
  }
  return true;
}

}  // namespace

SharedMemory::SharedMemory(std::byte* data, std::size_t bytes, int fd, std::uint64_t inode)
    : data_(data), bytes_(bytes), fd_(fd), inode_(inode), pid_(getpid()) {}

SharedMemory::~SharedMemory() {
  // In a forked child the range is not mapped, and may be somebody else's by now.
  if (getpid() == pid_) munmap(data_, bytes_);
  if (fd_ >= 0) ::close(fd_);
}

std::size_t SharedMemory::stagger() const {
  constexpr std::uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;  // Neighbours land far apart.
  return static_cast<std::size_t>((inode_ * kGoldenRatio) >> 58) * 64;
}

Result<std::shared_ptr<SharedMemory>> SharedMemory::create(std::size_t bytes) {
  if (bytes == 0) return Error(ErrorCode::kInvalidArgument, "shared memory of no bytes");
  FdGuard fd(memfd_create("dtrain", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (fd.get() < 0) return refused("memfd_create");
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return refused("fstat");
  if (!allocate(fd.get(), bytes)) return refused("fallocate");
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd.get(), 0);
  if (data == MAP_FAILED) return refused("mmap");
  std::shared_ptr<SharedMemory> memory(
      new SharedMemory(static_cast<std::byte*>(data), bytes, fd.release(), status.st_ino));
  if (madvise(data, bytes, MADV_DONTFORK) != 0) return refused("madvise");
  if (fcntl(memory->fd(), F_ADD_SEALS, kSeals) != 0) return refused("fcntl(F_ADD_SEALS)");
  return memory;
}

Result<std::shared_ptr<const SharedMemory>> SharedMemory::map(int fd_taken, std::size_t bytes_min) {
  const FdGuard fd(fd_taken);
  // The seals before the size: what they hold cannot change any more.
  const int seals = fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0) return not_ours("is no memfd");
  if ((seals & F_SEAL_SHRINK) == 0 || (seals & F_SEAL_GROW) == 0) {
    return not_ours("is not sealed: its size could change");
  }
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return refused("fstat");
  const auto bytes = static_cast<std::size_t>(status.st_size);
  if (status.st_size <= 0 || bytes < bytes_min) return not_ours("is smaller than announced");
  void* data = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) return refused("mmap");
  std::shared_ptr<const SharedMemory> memory(
      new SharedMemory(static_cast<std::byte*>(data), bytes, -1, status.st_ino));
  if (madvise(data, bytes, MADV_DONTFORK) != 0) return refused("madvise");
  return memory;
}

}  // namespace dtrain::inline v0::base
