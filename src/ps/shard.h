#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "compute/optimizer.h"
#include "ps/partition.h"
#include "tensor/arena.h"

namespace dtrain::inline v0::ps {

/// The values as they were at one version. Whoever holds it may read it for as long as they like;
/// later updates go elsewhere.
struct Snapshot {
  std::shared_ptr<const tensor::Arena> values;  ///< Element i is element slice.begin + i.
  std::uint64_t version = 0;
};

/// One server's slice: values, optimizer slots and the sum of a step's gradients, as arenas, and
/// the arithmetic on them. Ranges are in elements of the whole arena and lie inside the slice.
/// Thread-compatible.
///
/// Values are copied on write: an update that finds a snapshot in use goes to spare memory, so a
/// reader is never torn and never holds an update up. Without one it is in place.
class Shard {
 public:
  /// Makes the arenas that snapshots are taken of.
  using Allocate = std::function<tensor::Arena(std::size_t count)>;

  Shard(Range slice, Optimizer optimizer, Allocate allocate = ordinary_memory);

  Range slice() const { return slice_; }
  /// Updates applied so far: the optimizer's step.
  std::uint64_t version() const { return version_; }
  /// Not between begin_update() and end_update().
  Snapshot snapshot() const { return {values_, version_}; }

  /// Overwrites values; the version stays.
  void assign(Range range, std::span<const float> values);

  /// Adds `weight * gradients` to the step's sum; the first contribution to a range (`first`)
  /// starts the sum.
  void accumulate(Range range, std::span<const float> gradients, float weight, bool first);
  /// One update with the sum divided by `weight_total`, over `ranges`.
  void apply_sum(const std::vector<Range>& ranges, double weight_total);

  /// One update that arrives in pieces: begin, apply to disjoint ranges in any order, end.
  void begin_update();
  void apply(Range range, std::span<const float> gradients);
  void end_update();
  bool updating() const { return updating_; }

 private:
  /// Moves the values out of the way of snapshots, so that they can be written in place.
  void own_values();
  std::shared_ptr<tensor::Arena> take_spare();
  void update_range(Range range, std::span<const float> gradients, float gradient_scale,
                    tensor::Arena& target);

  static tensor::Arena ordinary_memory(std::size_t count) { return tensor::Arena(count); }

  const Range slice_;
  const Optimizer optimizer_;
  const Allocate allocate_;
  std::shared_ptr<tensor::Arena> values_;
  std::shared_ptr<tensor::Arena> spare_;  ///< The last snapshot's memory, used again when free.
  std::array<tensor::Arena, compute::kOptimizerSlotsMax> slots_;
  tensor::Arena sum_;  ///< Allocated with the first contribution.
  std::uint64_t version_ = 0;
  bool updating_ = false;
};

}  // namespace dtrain::inline v0::ps
