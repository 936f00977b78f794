#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/shared_memory.h"

namespace dtrain::inline v0::tensor {

constexpr std::size_t kArenaAlignmentBytes = 64;

/// A flat run of floats aligned to 64 bytes, zero at first. Owns its memory; movable. The class
/// is thread-compatible; who writes which range when is the owner's business.
class Arena {
 public:
  Arena() = default;
  explicit Arena(std::size_t count);
  /// One that other processes of this host can read in place, if it is a page or larger and the
  /// system lets it; an ordinary one otherwise. Two shared arenas start at different distances
  /// from a page's beginning, because arithmetic on many buffers is slow when equal indices lie at
  /// equal offsets in their pages (the addresses collide in the caches).
  static Arena shared(std::size_t count);

  std::size_t count() const { return count_; }
  std::span<float> span() { return {data_.get(), count_}; }
  std::span<const float> span() const { return {data_.get(), count_}; }
  /// What it lies in; null for an ordinary one.
  std::shared_ptr<const base::SharedMemory> memory() const { return memory_; }

 private:
  struct Free {
    bool borrowed;  ///< From `memory_`; false when not said.
    void operator()(float* data) const;
  };
  std::shared_ptr<const base::SharedMemory> memory_;
  std::unique_ptr<float[], Free> data_;
  std::size_t count_ = 0;
};

}  // namespace dtrain::inline v0::tensor
