#include "bench/shared_pages.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::bench {
namespace {

[[noreturn]] void fail_memory(const char* call, std::size_t bytes) {
  throw Error(ErrorCode::kResourceExhausted,
              base::str_cat("No ", base::bytes(bytes), " of shared memory: ", call, ": ",
                            std::strerror(errno)),
              "Measure smaller sizes, or raise the limits of memory and open files");
}

[[noreturn]] void fail_deadline() {
  throw Error(ErrorCode::kDeadlineExceeded, "The other process does not answer in shared memory",
              "It is stopped or has ended: what it wrote to standard error says why");
}

int create(std::size_t bytes) {
  const int fd = memfd_create("dtrain-bench", MFD_CLOEXEC);
  if (fd < 0) fail_memory("memfd_create", bytes);
  const int error = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  if (error != 0) {
    close(fd);
    errno = error;
    fail_memory("posix_fallocate", bytes);
  }
  return fd;
}

}  // namespace

SharedPages::SharedPages(std::size_t bytes) : bytes_(bytes), fd_(create(bytes)) { map(); }
SharedPages::SharedPages(int fd, std::size_t bytes) : bytes_(bytes), fd_(fd) { map(); }

void SharedPages::map() {
  void* data = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, 0);
  if (data == MAP_FAILED) {
    close(fd_);
    fail_memory("mmap", bytes_);
  }
  data_ = static_cast<std::byte*>(data);
}

SharedPages::~SharedPages() {
  munmap(data_, bytes_);
  close(fd_);
}

void sleep_while(const SharedWord& word, std::uint32_t value, base::TimePoint deadline) {
  while (word.load() == value) {
    const base::Duration left = deadline - std::chrono::steady_clock::now();
    if (left <= base::Duration::zero()) fail_deadline();
    const auto whole = std::chrono::floor<std::chrono::seconds>(left);
    timespec limit{};
    limit.tv_sec = static_cast<time_t>(whole.count());
    limit.tv_nsec = static_cast<long>((left - whole).count());
    syscall(SYS_futex, &word, FUTEX_WAIT, value, &limit, nullptr, 0);
  }
}

void spin_while(const SharedWord& word, std::uint32_t value, base::TimePoint deadline) {
  // The clock is much slower than the word.
  constexpr std::uint32_t kLooksPerClock = 1024;
  for (std::uint32_t looks = 1; word.load(std::memory_order_acquire) == value; ++looks) {
    pause_spinning();
    if (looks % kLooksPerClock == 0 && std::chrono::steady_clock::now() > deadline) {
      fail_deadline();
    }
  }
}

void wake_one(SharedWord& word) { syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0); }

}  // namespace dtrain::inline v0::bench
