#include "transport/shm_ring.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>
#include <utility>

#include "transport/shm_record.h"

namespace dtrain::inline v0::transport {
namespace {

// In an outbox. What the writer's records move, and what the reader moves, on cache lines of
// their own.
constexpr std::size_t kHead = 0;
constexpr std::size_t kTail = 64;
constexpr std::size_t kSleep = 72;
constexpr std::size_t kWantsRoom = 76;
constexpr std::size_t kAbandoned = 80;

static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free);
static_assert(std::atomic_ref<std::uint32_t>::is_always_lock_free);

template <typename Integer>
Integer load(const base::SharedMemory& memory, std::size_t offset) {
  // A load writes nothing, so that it may go to memory that is mapped for reading only.
  auto* bytes = const_cast<std::byte*>(memory.bytes().data() + offset);
  return std::atomic_ref<Integer>(*reinterpret_cast<Integer*>(bytes)).load();
}

template <typename Integer>
void store(base::SharedMemory& memory, std::size_t offset, Integer value) {
  std::byte* bytes = memory.writable().data() + offset;
  std::atomic_ref<Integer>(*reinterpret_cast<Integer*>(bytes)).store(value);
}

}  // namespace

ShmRing::ShmRing(std::shared_ptr<base::SharedMemory> own,
                 std::shared_ptr<const base::SharedMemory> peers)
    : own_(std::move(own)), peers_(std::move(peers)) {
  assert(own_->bytes().size() >= kShmOutboxBytes && peers_->bytes().size() >= kShmOutboxBytes);
}

std::uint64_t ShmRing::load64(std::size_t offset) const {
  return load<std::uint64_t>(*peers_, offset);
}
std::uint32_t ShmRing::load32(std::size_t offset) const {
  return load<std::uint32_t>(*peers_, offset);
}
void ShmRing::store64(std::size_t offset, std::uint64_t value) { store(*own_, offset, value); }
void ShmRing::store32(std::size_t offset, std::uint32_t value) { store(*own_, offset, value); }

std::optional<std::uint64_t> ShmRing::peer_read() {
  const std::uint64_t tail = load64(kTail);
  if (tail < peer_tail_ || tail > head_) return {};
  peer_tail_ = tail;
  return tail;
}

ShmRing::Put ShmRing::put(std::span<const std::byte> record) {
  assert(record.size() <= kShmRecordBytesMax);
  if (head_ + record.size() - peer_tail_ > kShmRingBytes) {
    if (!peer_read()) return Put::kBroken;
    if (head_ + record.size() - peer_tail_ > kShmRingBytes) return Put::kFull;
  }
  std::byte* ring = own_->writable().data() + kShmRingOffset;
  const std::size_t at = head_ % kShmRingBytes;
  const std::size_t first = std::min(record.size(), kShmRingBytes - at);
  std::memcpy(ring + at, record.data(), first);
  std::memcpy(ring, record.data() + first, record.size() - first);
  head_ += record.size();
  store64(kHead, head_);
  return Put::kDone;
}

ShmRing::Get ShmRing::get(std::vector<std::byte>& record) {
  const std::uint64_t head = load64(kHead);
  if (head == tail_) return Get::kEmpty;
  const std::uint64_t available = head - tail_;
  if (available > kShmRingBytes || available < kShmRecordHeaderBytes || head % 8 != 0) {
    return Get::kBroken;
  }
  const std::byte* ring = peers_->bytes().data() + kShmRingOffset;
  const std::size_t at = tail_ % kShmRingBytes;
  std::uint32_t size;  // At a multiple of 8, so it is not divided by the ring's end.
  std::memcpy(&size, ring + at, sizeof(size));
  if (size < kShmRecordHeaderBytes || size > kShmRecordBytesMax || size > available ||
      size % 8 != 0) {
    return Get::kBroken;
  }
  record.resize(size);
  const std::size_t first = std::min<std::size_t>(size, kShmRingBytes - at);
  std::memcpy(record.data(), ring + at, first);
  std::memcpy(record.data() + first, ring, size - first);
  tail_ += size;
  return Get::kRecord;
}

void ShmRing::free_room() {
  if (std::exchange(told_tail_, tail_) != tail_) store64(kTail, tail_);
}

void ShmRing::want_room(bool wanted) {
  if (std::exchange(wants_room_, wanted) != wanted) store32(kWantsRoom, wanted ? 1 : 0);
}

void ShmRing::abandon() { store32(kAbandoned, 1); }
bool ShmRing::peer_abandoned() const { return load32(kAbandoned) != 0; }

bool ShmRing::has_news() const {
  return load64(kHead) != tail_ || (wants_room_ && load64(kTail) != peer_tail_);
}

bool ShmRing::try_sleep() {
  if ((sleep_ & 1) == 0) store32(kSleep, ++sleep_);
  if (!has_news()) return true;
  wake();
  return false;
}

void ShmRing::wake() {
  if ((sleep_ & 1) != 0) store32(kSleep, ++sleep_);
}

bool ShmRing::must_ring_for_data() {
  const std::uint32_t sleep = load32(kSleep);
  return (sleep & 1) != 0 && std::exchange(rung_, sleep) != sleep;
}

bool ShmRing::must_ring_for_room() { return load32(kWantsRoom) != 0 && must_ring_for_data(); }

}  // namespace dtrain::inline v0::transport
