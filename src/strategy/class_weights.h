#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "tensor/view.h"

namespace dtrain::inline v0::strategy {

/// Weighs each example of a batch by its class (Keras's class_weight); classes without a weight
/// have 1. Confined to one thread; allocates nothing once it has seen its largest batch.
class ClassWeights {
 public:
  explicit ClassWeights(const std::map<std::int64_t, float>& weights) : weights_(weights) {}

  /// The batch with weights, until the next call. An example's class is its target, where that is
  /// one number, rounded; else the place of its largest one. Throws invalid_argument for a batch
  /// with weights of its own or several targets.
  const tensor::Batch& weigh(const tensor::Batch& batch);

 private:
  template <typename T>
  void weigh_targets(const tensor::View& targets);

  const std::map<std::int64_t, float> weights_;
  tensor::Batch batch_;
  std::vector<float> of_batch_;
};

}  // namespace dtrain::inline v0::strategy
