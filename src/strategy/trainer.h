#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "data/batcher.h"
#include "dtrain/model.h"
#include "model/objective.h"
#include "strategy/evaluator.h"
#include "strategy/progress.h"

namespace dtrain::inline v0::strategy {

/// One call of fit(): epochs of steps, on this worker, in step with the others. Confined to the
/// model's thread.
class Trainer {
 public:
  /// Borrows everything. Throws invalid_argument that names the option.
  Trainer(Model::Impl& model, const Dataset& data, const FitOptions& options);

  History run();

 private:
  bool limit_reached() const;
  model::Sums train_epoch(int epoch);
  /// Returns how many steps of the job have passed.
  std::size_t train_step(std::size_t step, model::Sums& sums);
  std::size_t steps_per_epoch() const;
  Logs finish_epoch(const model::Sums& own);
  bool stop_requested(int epoch, const Logs& logs);

  Model::Impl& model_;
  const FitOptions& options_;
  data::Batcher batcher_;
  std::optional<Evaluator> validation_;
  Progress progress_;
  std::int64_t steps_ = 0;
};

}  // namespace dtrain::inline v0::strategy
