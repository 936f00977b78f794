#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "data/batcher.h"
#include "dtrain/model.h"
#include "model/objectives.h"

namespace dtrain::inline v0::strategy {

/// Measures a model on a data set: this worker on its share, merged over all workers. Keeps its
/// buffers from run to run. Confined to the model's thread.
class Evaluator {
 public:
  /// The model must outlive it. Throws invalid_argument for a batch size of 0.
  Evaluator(Model::Impl& model, const Dataset& data, std::size_t batch_size);

  /// Collective; `name` tells apart what different calls gather.
  model::Sums run(std::string_view name);

 private:
  Model::Impl& model_;
  data::Batcher batcher_;
};

/// `prefix` goes in front of each name ("val_").
Logs to_logs(const model::Sums& sums, const model::Objectives& objectives,
             const std::string& prefix);

}  // namespace dtrain::inline v0::strategy
