#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "base/shared_memory.h"
#include "transport/message.h"

namespace dtrain::inline v0::transport {

/// The shared memory that an endpoint knows, found by address. Does not keep it alive.
/// Thread-safe.
class ShmRegistry {
 public:
  struct Place {
    std::shared_ptr<const base::SharedMemory> memory;
    std::size_t offset = 0;
  };

  void add(const std::shared_ptr<const base::SharedMemory>& memory);
  /// The memory that all of `bytes` lie in; nothing for ordinary memory.
  std::optional<Place> find(std::span<const std::byte> bytes) const;

 private:
  mutable base::Mutex mutex_;
  std::map<const std::byte*, std::weak_ptr<const base::SharedMemory>> memories_
      DTRAIN_GUARDED_BY(mutex_);
};

/// Where frames in ordinary memory are copied to on their way into shared memory: segments that
/// are used again and again, so that their pages stay mapped at both ends. Thread-safe; the frames
/// may outlive it.
class StagingPool {
 public:
  explicit StagingPool(ShmRegistry& registry) : registry_(registry) {}

  /// A copy of `bytes` in memory that the registry knows. The error of SharedMemory::create.
  base::Result<Frame> copy(std::span<const std::byte> bytes);

 private:
  using Segment = std::shared_ptr<base::SharedMemory>;
  struct State {
    base::Mutex mutex;
    std::multimap<std::size_t, Segment> idle DTRAIN_GUARDED_BY(mutex);
    std::size_t idle_bytes DTRAIN_GUARDED_BY(mutex) = 0;
  };
  static void give_back(State& state, Segment segment);
  base::Result<Segment> take(std::size_t bytes);

  ShmRegistry& registry_;
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace dtrain::inline v0::transport
