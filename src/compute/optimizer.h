#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>

#include "compute/kernels.h"
#include "dtrain/optimizer.h"
#include "tensor/arena.h"

namespace dtrain::inline v0::compute {

/// What an optimizer keeps per element, beside the value.
struct Slot {
  const char* name = "";  ///< As Keras names it, e.g. "velocity".
  float initial = 0.0F;   ///< Of every element, before the first update.
};

/// An optimizer's slots in their order: the one table for memory, kernels and checkpoints.
class Slots {
 public:
  Slots(std::initializer_list<Slot> slots);

  std::size_t size() const { return count_; }
  const Slot* begin() const { return slots_.data(); }
  const Slot* end() const { return slots_.data() + count_; }
  const Slot& operator[](std::size_t i) const { return slots_[i]; }

 private:
  std::array<Slot, kOptimizerSlotsMax> slots_;
  std::size_t count_ = 0;
};

Slots slots_of(const Optimizer& optimizer);

/// How many slots each element has: 0 to kOptimizerSlotsMax.
int slot_count(const Optimizer& optimizer);

/// Memory for `count` elements' slots, filled with the initial values; arenas behind the
/// optimizer's last slot are empty.
std::array<tensor::Arena, kOptimizerSlotsMax> slot_arenas(const Optimizer& optimizer,
                                                          std::size_t count);

/// One update of a range of elements.
struct OptimizerUpdate {
  std::int64_t step = 1;        ///< The number of this update, from 1.
  float gradient_scale = 1.0F;  ///< Each gradient is multiplied by it first, and then
  /// cut to this magnitude. Infinity: it is not.
  float gradient_limit = std::numeric_limits<float>::infinity();
  float learning_rate_factor = 1.0F;
  bool weight_decay = true;  ///< False: without the optimizer's weight decay.
  /// The scaled gradient is subtracted, whatever the optimizer; its slots stay as they are.
  bool subtracts = false;
  std::span<const float> values;     ///< Before the update.
  std::span<float> updated;          ///< After it; may be the same memory as `values`.
  std::span<const float> gradients;  ///< As long as `values`.
  /// As many as the optimizer has, each as long as `values`; they start with the initial values.
  std::array<std::span<float>, kOptimizerSlotsMax> slots;
};

/// Replaces the learning rate, constant or schedule, of whatever optimizer it is.
void set_learning_rate(Optimizer& optimizer, LearningRate rate);
const LearningRate& learning_rate_of(const Optimizer& optimizer);

/// Applies one update in one pass. Each element's bits depend on its own inputs only, not on
/// where a range begins or ends, so that any slicing over servers gives the same result.
/// Thread-safe for disjoint ranges.
void apply(const Optimizer& optimizer, const OptimizerUpdate& update);

/// sum[i] += weight * gradients[i]; the ranges are equally long and do not overlap. The same
/// promise about bits. begin_sum gives the bits of a sum that was 0 before, whatever it was.
void begin_sum(std::span<float> sum, std::span<const float> gradients, float weight);
void accumulate(std::span<float> sum, std::span<const float> gradients, float weight);

}  // namespace dtrain::inline v0::compute
