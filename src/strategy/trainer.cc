#include "strategy/trainer.h"

#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"
#include "strategy/model_impl.h"
#include "strategy/sums_codec.h"

namespace dtrain::inline v0::strategy {
namespace {

data::BatchPlanOptions plan_options(Model::Impl& model, const Dataset& data,
                                    const FitOptions& options) {
  const Exchange& exchange = model.exchange();
  return {.examples = data.size(),
          .batch_size = options.batch_size,
          .scope = exchange.synchronous() ? data::BatchScope::kGlobal : data::BatchScope::kWorker,
          .workers = exchange.workers(),
          .rank = exchange.rank(),
          .shuffle = options.shuffle,
          .seed = options.seed};
}

const FitOptions& checked(const FitOptions& options) {
  if (options.epochs < 1) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("FitOptions::epochs is ", options.epochs), "Give at least 1");
  }
  if (options.steps_max < 0) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("FitOptions::steps_max is ", options.steps_max),
                "Give 0 for no limit, or at least 1");
  }
  const CheckpointOptions& checkpoint = options.checkpoint;
  if (checkpoint.every_steps < 0 || checkpoint.every.count() < 0 || checkpoint.max_to_keep < 1) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("FitOptions::checkpoint has every_steps = ", checkpoint.every_steps,
                              ", every = ", checkpoint.every.count(),
                              " ms, max_to_keep = ", checkpoint.max_to_keep),
                "Give 0 or more for the first two, and at least 1 for the last");
  }
  const bool has_rhythm = checkpoint.every_steps > 0 || checkpoint.every.count() > 0;
  if (has_rhythm && options.checkpoint_dir.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "FitOptions::checkpoint says when to save, but checkpoint_dir is empty",
                "Give the folder too");
  }
  return options;
}

}  // namespace

Trainer::Trainer(Model::Impl& model, const Dataset& data, const FitOptions& options)
    : model_(model),
      options_(checked(options)),
      batcher_(data, plan_options(model, data, options)),
      progress_(model.exchange().rank() == 0 ? options.verbosity : Verbosity::kSilent,
                options.epochs, steps_per_epoch()) {
  if (options.validation) validation_.emplace(model, *options.validation, options.batch_size);
  if (!options.checkpoint_dir.empty()) {
    checkpointer_.emplace(model, options, batcher_.plan().options());
  }
  state_.model_steps = model.steps;
}

History Trainer::run() {
  const base::SteadyClock clock;
  const base::TimePoint start = clock.now();
  if (checkpointer_) state_ = checkpointer_->resume();
  if (done() && model_.exchange().rank() == 0) {
    model_.exchange().logger().info("fit() has nothing left to do: ", state_.steps, " steps and ",
                                    state_.epoch, " epochs are done");
  }
  History history;
  while (!done()) {
    const auto epoch = static_cast<int>(state_.epoch);
    progress_.start_epoch(epoch, state_.sums.examples);
    train_epoch();
    const Logs logs = finish_epoch();
    progress_.end_epoch(logs);
    history.epoch.push_back(epoch);
    for (const auto& [name, value] : logs) history.history[name].push_back(value);
    state_.stopped = stop_requested(epoch, logs);
    const auto steps = static_cast<std::int64_t>(steps_per_epoch());
    if (state_.step_in_epoch < steps) break;  // the limit; a later call may finish the epoch
    // Steps that only other workers had count too, so that all end in the same epoch.
    state_.steps += static_cast<std::int64_t>(batcher_.plan().steps_per_epoch_max()) - steps;
    ++state_.epoch;
    state_.step_in_epoch = 0;
    state_.sums.reset();
    if (checkpointer_) checkpointer_->epoch_done(state_);
  }
  // Asynchronous workers end up with the same values only now that all have pushed.
  model_.exchange().refresh();
  if (checkpointer_) checkpointer_->training_done(state_);
  history.steps = state_.steps;
  history.seconds = std::chrono::duration<double>(clock.now() - start).count();
  return history;
}

bool Trainer::done() const {
  return state_.epoch >= options_.epochs || state_.stopped || limit_reached();
}

bool Trainer::limit_reached() const {
  return options_.steps_max > 0 && state_.steps >= options_.steps_max;
}

void Trainer::train_epoch() {
  batcher_.start_epoch(static_cast<std::uint64_t>(state_.epoch));
  const auto steps = static_cast<std::int64_t>(steps_per_epoch());
  while (state_.step_in_epoch < steps && !limit_reached()) {
    train_step();
    progress_.step(static_cast<std::size_t>(state_.step_in_epoch), state_.sums,
                   model_.network().objective());
  }
}

std::size_t Trainer::steps_per_epoch() const {
  return model_.exchange().even_steps() ? batcher_.plan().steps_per_epoch_max()
                                        : batcher_.plan().steps_per_epoch();
}

void Trainer::train_step() {
  Exchange& exchange = model_.exchange();
  exchange.check();
  const tensor::Batch* batch = batcher_.batch(static_cast<std::size_t>(state_.step_in_epoch));
  if (batch) {
    exchange.expect(batch->size);
    model_.network().train_step(*batch, model_.steps, state_.sums);
  }
  const auto passed = static_cast<std::int64_t>(exchange.step(batch ? batch->size : 0));
  model_.steps += passed;
  state_.model_steps = model_.steps;
  state_.steps += passed;
  state_.step_in_epoch += passed;
  if (options_.on_step_end) options_.on_step_end(state_.steps);
  if (checkpointer_) checkpointer_->step_done(state_);
}

Logs Trainer::finish_epoch() {
  const model::Objective& objective = model_.network().objective();
  state_.sums = merge(model_.exchange().all_gather("fit/epoch", encode(state_.sums)));
  Logs logs = to_logs(state_.sums, objective, "");
  if (validation_) logs.merge(to_logs(validation_->run("fit/validation"), objective, "val_"));
  return logs;
}

bool Trainer::stop_requested(int epoch, const Logs& logs) {
  if (!options_.on_epoch_end) return false;
  const bool wanted = options_.on_epoch_end(epoch, logs);
  // The chief's word counts, so that all stop at the same step.
  const auto votes = model_.exchange().all_gather("fit/stop", wanted ? "1" : "0");
  return votes.front() == "1";
}

}  // namespace dtrain::inline v0::strategy
