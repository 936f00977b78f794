#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace dtrain::inline v0::bench {

/// Memory that two processes write to, all of its pages there.
class SharedPages {
 public:
  /// Zeros. Throws resource_exhausted.
  explicit SharedPages(std::size_t bytes);
  /// What another process has made, given its descriptor.
  SharedPages(int fd, std::size_t bytes);
  ~SharedPages();
  SharedPages(const SharedPages&) = delete;
  SharedPages& operator=(const SharedPages&) = delete;

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  int fd() const { return fd_; }

 private:
  void map();

  const std::size_t bytes_;
  const int fd_;
  std::byte* data_ = nullptr;
};

using SharedWord = std::atomic<std::uint32_t>;
static_assert(SharedWord::is_always_lock_free && sizeof(SharedWord) == 4);

/// Sleeps until the word is no longer `value`. Throws deadline_exceeded at the deadline.
void sleep_while(const SharedWord& word, std::uint32_t value, base::TimePoint deadline);
/// Looks again and again instead.
void spin_while(const SharedWord& word, std::uint32_t value, base::TimePoint deadline);
/// Wakes who sleeps on the word, at most one.
void wake_one(SharedWord& word);
/// A hint to the processor that this is a loop that waits.
inline void pause_spinning() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace dtrain::inline v0::bench
