#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "checkpoint/directory.h"
#include "data/batch_plan.h"
#include "dtrain/model.h"
#include "strategy/exchange.h"
#include "strategy/train_state.h"

namespace dtrain::inline v0::strategy {

/// Saves a call of fit() and lets it go on where it was. Every worker has one and calls it at the
/// same places; the folder is the chief's business alone. Confined to the model's thread.
class Checkpointer {
 public:
  /// Borrows both. At the chief throws what is wrong with the folder.
  Checkpointer(Model::Impl& model, const FitOptions& options, const data::BatchPlanOptions& plan);

  /// Collective. Restores the newest checkpoint, if it is wanted and there is one, and returns
  /// where this worker goes on: `start` when there is nothing to resume.
  TrainState resume(const TrainState& start);

  /// Each may save; training_done() does when `changed` says that the variables are not those of
  /// the last step. Collective in synchronous strategies.
  void step_done(const TrainState& state);
  void epoch_done(const TrainState& state);
  void training_done(const TrainState& state, bool changed);

 private:
  bool is_chief() const { return exchange_.rank() == 0; }
  bool is_due() const;
  std::string seconds_since(base::TimePoint start) const;
  TrainState restore(const std::string& path);
  void save(const TrainState& state);

  Model::Impl& model_;
  Exchange& exchange_;
  const CheckpointOptions options_;
  const DataState data_;
  const base::SteadyClock clock_;
  const std::unique_ptr<checkpoint::FileSystem> files_;
  std::optional<checkpoint::Directory> directory_;  ///< At the chief.
  base::TimePoint saved_at_;
  std::int64_t steps_ = 0;           ///< When step_done() was called last.
  std::optional<TrainState> saved_;  ///< The newest in the folder, if it is of this training.
};

}  // namespace dtrain::inline v0::strategy
