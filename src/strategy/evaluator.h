#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "dtrain/model.h"
#include "model/objectives.h"
#include "strategy/batch_source.h"
#include "strategy/finite_guard.h"

namespace dtrain::inline v0::strategy {

/// Measures a model on data: this worker on its share, merged over all workers. Keeps its
/// buffers from run to run. Confined to the model's thread.
class Evaluator {
 public:
  /// The model must outlive it. Throws invalid_argument for a batch size of 0.
  Evaluator(Model::Impl& model, const Dataset& data, std::size_t batch_size);
  /// One pass of a pipeline, which gives this worker's examples.
  Evaluator(Model::Impl& model, const Pipeline& data);

  /// Collective; `name` tells apart what different calls gather.
  model::Sums run(std::string_view name);

 private:
  Model::Impl& model_;
  const std::unique_ptr<BatchSource> source_;
  FiniteGuard finite_;
};

/// `prefix` goes in front of each name ("val_").
Logs to_logs(const model::Sums& sums, const model::Objectives& objectives,
             const std::string& prefix);

}  // namespace dtrain::inline v0::strategy
