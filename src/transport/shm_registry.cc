#include "transport/shm_registry.h"

#include <bit>
#include <cstring>
#include <iterator>
#include <utility>

namespace dtrain::inline v0::transport {
namespace {

/// Segments that wait for their next use hold at most this much memory together.
constexpr std::size_t kIdleBytesMax = 128 << 20;
constexpr std::size_t kSegmentBytesMin = 64 << 10;
/// Room to begin anywhere in the first page: see SharedMemory::stagger.
constexpr std::size_t kStaggerBytes = 4096;

/// Four sizes for each power of two: at most a quarter is wasted, and most segments fit again.
std::size_t size_class(std::size_t bytes) {
  if (bytes <= kSegmentBytesMin) return kSegmentBytesMin;
  const std::size_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

}  // namespace

void ShmRegistry::add(const std::shared_ptr<const base::SharedMemory>& memory) {
  base::MutexLock lock(mutex_);
  std::erase_if(memories_, [](const auto& entry) { return entry.second.expired(); });
  memories_[memory->bytes().data()] = memory;
}

std::optional<ShmRegistry::Place> ShmRegistry::find(std::span<const std::byte> bytes) const {
  base::MutexLock lock(mutex_);
  auto found = memories_.upper_bound(bytes.data());
  if (found == memories_.begin()) return {};
  auto memory = std::prev(found)->second.lock();
  if (!memory) return {};
  const std::span<const std::byte> whole = memory->bytes();
  const auto offset = reinterpret_cast<std::uintptr_t>(bytes.data()) -
                      reinterpret_cast<std::uintptr_t>(whole.data());
  if (offset > whole.size() || bytes.size() > whole.size() - offset) return {};
  return Place{std::move(memory), offset};
}

base::Result<StagingPool::Segment> StagingPool::take(std::size_t bytes) {
  const std::size_t size = size_class(bytes);
  {
    base::MutexLock lock(state_->mutex);
    const auto found = state_->idle.find(size);
    if (found != state_->idle.end()) {
      Segment segment = std::move(found->second);
      state_->idle.erase(found);
      state_->idle_bytes -= size;
      return segment;
    }
  }
  auto segment = base::SharedMemory::create(size + kStaggerBytes);
  if (segment.ok()) registry_.add(segment.value());
  return segment;
}

void StagingPool::give_back(State& state, Segment segment) {
  const std::size_t size = segment->bytes().size() - kStaggerBytes;
  base::MutexLock lock(state.mutex);
  if (state.idle_bytes + size > kIdleBytesMax) return;
  state.idle_bytes += size;
  state.idle.emplace(size, std::move(segment));
}

base::Result<Frame> StagingPool::copy(std::span<const std::byte> bytes) {
  base::Result<Segment> segment = take(bytes.size());
  if (!segment.ok()) return segment.error();
  std::byte* start = segment.value()->writable().data() + segment.value()->stagger();
  std::memcpy(start, bytes.data(), bytes.size());
  const std::shared_ptr<const void> hold(
      start, [state = state_, held = std::move(segment.value())](const void*) mutable {
        give_back(*state, std::move(held));
      });
  return Frame{{start, bytes.size()}, hold};
}

}  // namespace dtrain::inline v0::transport
