#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "compute/optimizer.h"
#include "compute/square_sum.h"
#include "dtrain/update_rules.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::compute {

/// Neighbouring elements of an arena that are updated alike.
struct UpdateRun {
  std::size_t begin = 0;
  std::size_t end = 0;
  float learning_rate_factor = 1.0F;
  bool weight_decay = true;
  bool frozen = false;
  bool statistics = false;
  std::size_t variable = 0;  ///< Its index in the layout; the first of several.
};

/// An optimizer and its rules laid over an arena: which elements are updated, and how. Planned
/// once; the same on every process. Immutable but for the learning rate.
class UpdatePlan {
 public:
  /// One rule for everything, whatever the arena.
  explicit UpdatePlan(Optimizer optimizer = Sgd{});
  /// Throws invalid_argument for a group that matches no variable, for a variable in two groups,
  /// for rules that are wrong by themselves, and when nothing is left to train.
  UpdatePlan(const tensor::Layout& layout, Optimizer optimizer, const UpdateRules& rules);

  const Optimizer& optimizer() const { return optimizer_; }
  void set_learning_rate(LearningRate rate) {
    compute::set_learning_rate(optimizer_, std::move(rate));
  }
  const Clipping& clipping() const { return clipping_; }
  /// They ascend and cover the arena, padding behind variables included.
  const std::vector<UpdateRun>& runs() const { return runs_; }
  bool has_frozen() const { return has_frozen_; }
  bool is_frozen(std::size_t element) const { return run_of(element).frozen; }
  /// Whether its gradient counts in a norm.
  bool is_clipped(std::size_t element) const {
    return !run_of(element).frozen && !run_of(element).statistics;
  }
  /// Whether a norm of the gradients must be known before an update.
  bool clips_by_norm() const { return clipping_.norm > 0.0F || clipping_.global_norm > 0.0F; }

  /// Adds the squares of the gradients of elements [begin, begin + count) to a sum.
  using AddSquares = std::function<void(std::size_t begin, std::size_t count, SquareSum& sum)>;
  /// What for_each_part takes as clip_factors, where all gradients are at hand. The gradients
  /// that count are `scale` times those that `add_squares` adds. Empty unless clips_by_norm().
  std::vector<double> clip_factors(const tensor::Layout& layout, double scale,
                                   const AddSquares& add_squares) const;

  /// Cuts an update of the elements from `begin` on at the runs' borders and calls `apply` for
  /// each part with its rule filled in; frozen parts are left out. `clip_factors`, where they are
  /// not empty, multiply the gradients: one for each variable of the layout with clipping by norm,
  /// a single one by global norm.
  void for_each_part(std::size_t begin, const OptimizerUpdate& update,
                     std::span<const double> clip_factors,
                     const std::function<void(const OptimizerUpdate&)>& apply) const;

 private:
  const UpdateRun& run_of(std::size_t element) const;

  Optimizer optimizer_;
  Clipping clipping_;
  std::vector<UpdateRun> runs_;
  bool has_frozen_ = false;
};

/// Whether `pattern`, in which `*` stands for any characters, fits the whole of `name`.
bool matches(std::string_view pattern, std::string_view name);

}  // namespace dtrain::inline v0::compute
