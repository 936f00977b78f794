#pragma once

#include "dtrain/model.h"
#include "model/objective.h"
#include "tensor/view.h"

namespace dtrain::inline v0::strategy {

/// Finds out why losses are not finite: a number of the data is none, or the training has diverged.
/// Confined to the model's thread.
class FiniteGuard {
 public:
  explicit FiniteGuard(Model::Impl& model) : model_(model) {}

  /// After a batch, with the sums that it was added to. Throws invalid_argument that names the
  /// example and the feature, target or weight that is NaN or infinite; warns, once, when there is
  /// none. Costs nothing while losses are finite.
  void check(const tensor::Batch& batch, const model::Sums& sums);

 private:
  Model::Impl& model_;
  bool warned_ = false;
};

}  // namespace dtrain::inline v0::strategy
