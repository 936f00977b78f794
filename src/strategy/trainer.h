#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "data/batcher.h"
#include "dtrain/model.h"
#include "model/objective.h"
#include "strategy/checkpointer.h"
#include "strategy/evaluator.h"
#include "strategy/progress.h"
#include "strategy/train_state.h"

namespace dtrain::inline v0::strategy {

/// One call of fit(): epochs of steps, on this worker, in step with the others. Confined to the
/// model's thread.
class Trainer {
 public:
  /// Borrows everything. Throws invalid_argument that names the option.
  Trainer(Model::Impl& model, const Dataset& data, const FitOptions& options);

  History run();

 private:
  /// Whether there is nothing left to do.
  bool done() const;
  bool limit_reached() const;
  std::size_t steps_per_epoch() const;
  /// The rest of the epoch that state_ is in, as far as the limit allows.
  void train_epoch();
  void train_step();
  /// With the epoch's sums merged.
  Logs finish_epoch();
  bool stop_requested(int epoch, const Logs& logs);

  Model::Impl& model_;
  const FitOptions& options_;
  data::Batcher batcher_;
  std::optional<Evaluator> validation_;
  Progress progress_;
  std::optional<Checkpointer> checkpointer_;
  TrainState state_;
};

}  // namespace dtrain::inline v0::strategy
