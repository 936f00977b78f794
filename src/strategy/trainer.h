#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "dtrain/model.h"
#include "strategy/batch_source.h"
#include "strategy/callback_runner.h"
#include "strategy/checkpointer.h"
#include "strategy/class_weights.h"
#include "strategy/evaluator.h"
#include "strategy/finite_guard.h"
#include "strategy/fit_options.h"
#include "strategy/progress.h"
#include "strategy/train_state.h"

namespace dtrain::inline v0::strategy {

/// One call of fit(): epochs of steps, on this worker, in step with the others. Confined to the
/// model's thread.
class Trainer {
 public:
  /// Borrows everything; `handle` is what callbacks get. Throws invalid_argument that names the
  /// option.
  Trainer(Model& handle, Model::Impl& model, const Dataset& data, const FitOptions& options);
  Trainer(Model& handle, Model::Impl& model, const Pipeline& data, const FitOptions& options);

  History run();

 private:
  Trainer(Model& handle, Model::Impl& model, const FitOptions& options, const FitData& data);
  Trainer(Model& handle, Model::Impl& model, const FitOptions& options,
          std::unique_ptr<BatchSource> source, const std::optional<Dataset>& validation);

  /// Whether there is nothing left to do.
  bool done() const;
  bool limit_reached() const;
  /// False: it has not come to its end.
  bool run_epoch(History& history);
  /// The rest of the epoch that state_ is in; false: the limit came before its end.
  bool train_epoch();
  void train_step();
  /// Null: this worker has no example in the step.
  const tensor::Batch* next_batch();
  /// With the epoch's sums merged.
  Logs finish_epoch();

  Model::Impl& model_;
  const FitOptions& options_;
  const std::unique_ptr<BatchSource> source_;
  CallbackRunner callbacks_;
  std::optional<Evaluator> validation_;
  Progress progress_;
  std::optional<Checkpointer> checkpointer_;
  std::optional<ClassWeights> class_weights_;
  FiniteGuard finite_;
  TrainState state_;
};

}  // namespace dtrain::inline v0::strategy
