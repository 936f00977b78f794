#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/shared_memory.h"

namespace dtrain::inline v0::transport {

/// The bytes of an outbox: what its owner writes and its peer may only read. In front stand four
/// numbers, at the offsets below; the ring follows at kShmRingOffset.
constexpr std::size_t kShmRingBytes = 32 << 10;
constexpr std::size_t kShmRingOffset = 4096;
constexpr std::size_t kShmOutboxBytes = kShmRingOffset + kShmRingBytes;
constexpr std::size_t kShmRecordBytesMax = kShmRingBytes / 2;

/// The two outboxes of a session: records are written to ours and read from the peer's. Whatever
/// is read from the peer's memory is checked before it is used, and copied before that. Confined
/// to the I/O thread; the peer is another thread or process.
///
/// Who finds nothing to do says in its outbox that it sleeps, looks once more, and waits for its
/// doorbell. Who has written (or, for a writer that waits for room, read) looks whether the other
/// sleeps, and rings. All four steps are sequentially consistent, so one of the two sees the other.
class ShmRing {
 public:
  ShmRing(std::shared_ptr<base::SharedMemory> own, std::shared_ptr<const base::SharedMemory> peers);

  enum class Put { kDone, kFull, kBroken };
  /// Publishes a record of at most kShmRecordBytesMax bytes.
  Put put(std::span<const std::byte> record);
  enum class Get { kRecord, kEmpty, kBroken };
  /// The next record of the peer, as it came, in `record`.
  Get get(std::vector<std::byte>& record);
  /// Tells the peer how far we have read.
  void free_room();

  std::uint64_t written() const { return head_; }
  /// Up to where the peer has read; nothing when it claims what cannot be.
  std::optional<std::uint64_t> peer_read();

  /// The peer shall ring when there is room again.
  void want_room(bool wanted);
  /// The owner drops holds of frames that were sent: what the peer has not read yet is void.
  void abandon();
  bool peer_abandoned() const;

  /// Whether there is something to read, or room that was waited for.
  bool has_news() const;
  /// False, and awake, when there is something to do; else asleep until wake().
  bool try_sleep();
  void wake();
  /// Whether the peer sleeps and was not rung for that yet: ring now.
  bool must_ring_for_data();
  bool must_ring_for_room();

 private:
  std::uint64_t load64(std::size_t offset) const;
  std::uint32_t load32(std::size_t offset) const;
  void store64(std::size_t offset, std::uint64_t value);
  void store32(std::size_t offset, std::uint32_t value);

  const std::shared_ptr<base::SharedMemory> own_;
  const std::shared_ptr<const base::SharedMemory> peers_;
  std::uint64_t head_ = 0;       ///< Bytes that we have written.
  std::uint64_t tail_ = 0;       ///< Bytes that we have read.
  std::uint64_t peer_tail_ = 0;  ///< Bytes that the peer has last said to have read.
  std::uint64_t told_tail_ = 0;
  std::uint32_t sleep_ = 0;  ///< Odd while asleep.
  std::uint32_t rung_ = 0;   ///< The peer's sleep that we rang for.
  bool wants_room_ = false;
};

}  // namespace dtrain::inline v0::transport
