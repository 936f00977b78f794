#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"

namespace dtrain::inline v0::base {

/// Memory that other processes of this host may map, given its descriptor. It is a memfd, so that
/// nothing is left of it when its last process has died, and sealed: nobody can change its size
/// (a mapping whose file shrinks is a SIGBUS for whoever reads it), and nobody but the creator can
/// write to it.
///
/// Mappings are not inherited by a fork: a child that touches one gets a SIGSEGV instead of a page
/// that its parent writes to. The class is immutable, the bytes are the creator's business.
class SharedMemory {
 public:
  /// `bytes` zeros, backed by pages at once, so that a lack of memory shows here. An unavailable
  /// error names the call that this system refuses.
  static Result<std::shared_ptr<SharedMemory>> create(std::size_t bytes);
  /// Maps what another process has created, to be read. Takes the descriptor, also on errors:
  /// a protocol error for what is not sealed memory of `bytes_min` bytes or more.
  static Result<std::shared_ptr<const SharedMemory>> map(int fd, std::size_t bytes_min);

  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// The creator's only.
  std::span<std::byte> writable() { return {data_, bytes_}; }
  std::span<const std::byte> bytes() const { return {data_, bytes_}; }
  /// To be sent to other processes; -1 for memory of another process.
  int fd() const { return fd_; }
  /// Where in the first page data should begin: a multiple of 64 below 4096 that differs from that
  /// of memories created shortly before and after, on the whole host. Arithmetic over many buffers
  /// is slow when equal indices lie at equal offsets in their pages: the addresses collide in the
  /// processor.
  std::size_t stagger() const;

 private:
  SharedMemory(std::byte* data, std::size_t bytes, int fd, std::uint64_t inode);

  std::byte* const data_;
  const std::size_t bytes_;
  const int fd_;
  const std::uint64_t inode_;
  const pid_t pid_;
};

}  // namespace dtrain::inline v0::base
