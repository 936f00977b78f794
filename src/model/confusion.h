#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dtrain/metrics.h"

namespace dtrain::inline v0::model {

/// What predictions above one threshold were worth, as Keras's confusion metrics have it.
struct Confusion {
  double true_positives = 0.0;
  double false_positives = 0.0;
  double true_negatives = 0.0;
  double false_negatives = 0.0;
};

/// Counts predictions by the thresholds that they are above. A state is `state_count()` doubles,
/// which add up over batches and workers: how much weight lies above just the first b thresholds,
/// for every b from 0 to all, first of examples whose target is not 0 and then of the others.
/// Immutable.
class ConfusionCounter {
 public:
  /// Thresholds ascend. Those that Keras takes for evenly spaced over [0, 1] are found by a
  /// multiplication, as Keras does it, and predictions then cut to [0, 1].
  explicit ConfusionCounter(std::vector<float> thresholds);

  std::size_t threshold_count() const { return thresholds_.size(); }
  std::size_t state_count() const { return 2 * (thresholds_.size() + 1); }

  void add(float prediction, bool positive, double weight, std::span<double> state) const;
  /// One per threshold.
  std::vector<Confusion> confusions(std::span<const double> state) const;

 private:
  std::size_t thresholds_below(float prediction) const;

  std::vector<float> thresholds_;
  bool even_ = false;
  bool reaches_beyond_ = false;  ///< The first and the last lie outside [0, 1] (Auc).
};

/// Auc's, with its ends a little outside [0, 1].
std::vector<float> auc_thresholds(const metrics::Auc& auc);

/// Keras's AUC from the counts at ascending thresholds.
double area_under_curve(const metrics::Auc& auc, std::span<const Confusion> confusions);

/// Keras's division: 0 where `divisor` is 0.
double divide_no_nan(double dividend, double divisor);

}  // namespace dtrain::inline v0::model
