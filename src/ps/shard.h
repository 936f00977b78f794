#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "compute/update_plan.h"
#include "ps/partition.h"
#include "tensor/arena.h"

namespace dtrain::inline v0::ps {

/// The values as they were at one version. Whoever holds it may read it for as long as they like;
/// later updates go elsewhere.
struct Snapshot {
  std::shared_ptr<const tensor::Arena> values;  ///< Element i is element slice.begin + i.
  std::uint64_t version = 0;
};

/// A slice's whole state at one version, for a checkpoint; read as long as it is held.
struct Frozen {
  /// Values, then the optimizer's slots (null for an empty slice). Element i is element
  /// slice.begin + i.
  std::vector<std::shared_ptr<const tensor::Arena>> parts;
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

  Shard(Range slice, compute::UpdatePlan plan, Allocate allocate = ordinary_memory);
  Shard(Range slice, Optimizer optimizer);

  Range slice() const { return slice_; }
  const compute::UpdatePlan& plan() const { return plan_; }
  /// Updates applied so far.
  std::uint64_t version() const { return version_; }
  /// The optimizer's step: the updates applied, those before a checkpoint was restored included.
  std::uint64_t step() const { return step_; }
  /// The values of the last update that is whole; not between begin_update() and end_update().
  Snapshot snapshot() const { return {values_, version_}; }
  /// The values that the step under way makes, whose ranges become final with finish_range().
  Snapshot coming() const { return {target_, version_ + 1}; }

  /// The same with the optimizer's slots. Whoever holds it makes the next update copy them.
  Frozen freeze() const;

  /// Overwrites values, or with `slot` 1, 2, ... an optimizer slot; the version stays.
  void assign(Range range, std::span<const float> values, int slot = 0);
  /// The optimizer goes on from this step.
  void restore_step(std::uint64_t step) { step_ = step; }

  /// Instead of the optimizer's own, from the next update on.
  void set_learning_rate(float rate) { plan_.set_learning_rate(rate); }

  /// Adds `weight * gradients` to the step's sum; the first contribution to a range (`first`)
  /// starts the sum.
  void accumulate(Range range, std::span<const float> gradients, float weight, bool first);
  /// Adds the squares of the step's sum, in the parts of `range` that `ranges` have.
  void add_squares(Range range, const std::vector<Range>& ranges, compute::SquareSum& sum) const;
  /// One update with the sum divided by `weight_total`, over `ranges`. `clip_factors` as
  /// UpdatePlan::for_each_part takes them.
  void apply_sum(const std::vector<Range>& ranges, double weight_total,
                 std::span<const double> clip_factors = {});

  /// The same in pieces, while the last contribution arrives, so that an element's sum and update
  /// are one pass: begin, finish disjoint ranges in any order, end. Bits as apply_sum()'s where
  /// there are several contributions. What `ranges` leaves out stays as it is.
  void begin_step(const std::vector<Range>& ranges, double weight_total);
  /// Adds the last contribution to a range as accumulate() does, and updates its values. The sum
  /// itself is then lost. The only contribution (`first`) is applied where it lies, times
  /// `weight / weight_total`: not rounded at all where nobody else has a weight.
  void finish_range(Range range, std::span<const float> gradients, float weight, bool first);
  /// Updates a range whose sum is whole.
  void finish_range(Range range, std::span<const double> clip_factors = {});

  /// One update that arrives in pieces: begin, apply to disjoint ranges in any order, end. All of
  /// `ranges` is to be applied, or kept as it is.
  void begin_update(const std::vector<Range>& ranges = {});
  void apply(Range range, std::span<const float> gradients);
  void keep(Range range);
  /// Of both kinds.
  void end_update();
  bool updating() const { return target_ != nullptr; }

 private:
  /// Moves the values out of the way of snapshots, so that they can be written in place.
  void own_values();
  /// The same for the optimizer's slots, after freeze().
  void own_slots();
  void choose_target(const std::vector<Range>& ranges);
  std::shared_ptr<tensor::Arena> take_spare();
  void update_range(Range range, std::span<const float> gradients,
                    std::span<const double> clip_factors, float scale);
  /// Makes the mean of the step's sum.
  float mean_scale() const { return static_cast<float>(1.0 / weight_total_); }

  static tensor::Arena ordinary_memory(std::size_t count) { return tensor::Arena(count); }

  const Range slice_;
  compute::UpdatePlan plan_;
  const Allocate allocate_;
  std::shared_ptr<tensor::Arena> values_;
  std::shared_ptr<tensor::Arena> spare_;  ///< The last snapshot's memory, used again when free.
  std::array<std::shared_ptr<tensor::Arena>, compute::kOptimizerSlotsMax> slots_;
  tensor::Arena sum_;  ///< Allocated with the first contribution.
  std::uint64_t version_ = 0;
  std::uint64_t step_ = 0;
  /// Where the update under way goes: the values themselves or other memory. Null without one.
  std::shared_ptr<tensor::Arena> target_;
  double weight_total_ = 1.0;  ///< Of the step under way.
};

}  // namespace dtrain::inline v0::ps
