#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "checkpoint/tensor_io.h"
#include "data/batch_plan.h"
#include "model/objective.h"
#include "observe/log.h"

namespace dtrain::inline v0::strategy {

/// Where a call of fit() stands, beside the variables. With it the random numbers of what comes are
/// known too: dropout counts by `model_steps` and examples, the order of examples by `epoch`.
struct TrainState {
  std::int64_t model_steps = 0;              ///< Updates over all calls of fit().
  std::int64_t steps = 0;                    ///< Updates of this one.
  std::int64_t epoch = 0;                    ///< From 0.
  std::int64_t step_in_epoch = 0;            ///< Steps of it that are done.
  bool stopped = false;                      ///< on_epoch_end or a callback has ended the training.
  std::optional<double> learning_rate = {};  ///< What callbacks have set.
  model::Sums sums;                          ///< Of the epoch so far.

  bool operator==(const TrainState&) const = default;
};

/// As bytes, from the chief to the other workers. Throws protocol for what encode() did not write.
std::string encode(const TrainState& state);
TrainState decode_train_state(std::string_view bytes);

/// What decides which examples a step has, and which of their units dropout leaves out.
struct DataState {
  data::BatchPlanOptions plan;
  std::uint64_t model_seed = 0;
  std::int64_t steps_per_epoch = 0;  ///< As FitOptions has it.
  std::string metrics = {};          ///< What sums of an epoch count: their names.
};

void save_train_state(checkpoint::Writer& writer, const TrainState& state, const DataState& data);

/// What a checkpoint says, for a training with `data`: what can go on does. Other batches (size,
/// seed, order, number of examples) are an error that names the option within an epoch, and a
/// warning at the beginning of one; another number of workers changes nothing with global batches
/// and starts the epoch anew with the workers' own. Throws failed_precondition and data_loss.
TrainState restore_train_state(const checkpoint::Reader& reader, const DataState& data,
                               const observe::Logger& logger);

}  // namespace dtrain::inline v0::strategy
