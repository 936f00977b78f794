#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/batch_plan.h"
#include "dtrain/dataset.h"
#include "tensor/arena.h"
#include "tensor/view.h"

namespace dtrain::inline v0::data {

/// Gathers the examples of a plan's steps into one buffer that it reuses: no allocation after the
/// constructor. Keeps its data set alive. Confined to one thread at a time.
class Batcher {
 public:
  /// The examples in the options must be those of the data set.
  Batcher(Dataset dataset, const BatchPlanOptions& options);
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  void start_epoch(std::uint64_t epoch) { plan_.start_epoch(epoch); }
  const BatchPlan& plan() const { return plan_; }
  const Dataset& dataset() const { return dataset_; }

  /// This worker's examples in a step below plan().steps_per_epoch_max(); null when it has none.
  /// Valid until the next call or start_epoch.
  const tensor::Batch* batch(std::size_t step);

 private:
  Dataset dataset_;
  BatchPlan plan_;
  std::size_t feature_count_;  // Of one example.
  std::size_t target_count_;   // Of one example; 0 unless targets are float.
  tensor::Arena features_;     // Or, when they are integers,
  std::vector<std::int64_t> integer_features_;
  tensor::Arena targets_;
  std::vector<std::int32_t> labels_;
  tensor::Batch batch_;
};

}  // namespace dtrain::inline v0::data
