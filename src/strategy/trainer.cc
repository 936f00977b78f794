#include "strategy/trainer.h"

#include <utility>

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

}  // namespace

Trainer::Trainer(Model& handle, Model::Impl& model, const Dataset& data, const FitOptions& options)
    : model_(model),
      options_(checked(options)),
      data_(divide(data, options)),
      batcher_(data_.training, plan_options(model, data_.training, options), model.names()),
      callbacks_(handle, model, options, data_.validation.has_value()),
      progress_(model.exchange().rank() == 0 ? options.verbosity : Verbosity::kSilent,
                options.epochs, steps_per_epoch()) {
  if (data_.validation) validation_.emplace(model, *data_.validation, options.batch_size);
  if (!options.class_weight.empty()) class_weights_.emplace(options.class_weight);
  if (!options.checkpoint_dir.empty()) {
    checkpointer_.emplace(model, options, batcher_.plan().options());
  }
  state_.model_steps = model.steps;
  state_.epoch = options.initial_epoch;
}

History Trainer::run() {
  const base::SteadyClock clock;
  const base::TimePoint start = clock.now();
  if (checkpointer_) state_ = checkpointer_->resume(state_);
  callbacks_.restore_rate(state_.learning_rate);
  if (done() && model_.exchange().rank() == 0) {
    model_.exchange().logger().info("fit() has nothing left to do: ", state_.steps, " steps and ",
                                    state_.epoch, " epochs are done");
  }
  History history;
  callbacks_.train_begin();
  while (!done()) {
    if (!run_epoch(history)) break;
  }
  // Asynchronous workers end up with the same values only now that all have pushed.
  model_.exchange().refresh();
  callbacks_.train_end();
  if (checkpointer_) checkpointer_->training_done(state_, callbacks_.restored_variables());
  history.steps = state_.steps;
  history.seconds = std::chrono::duration<double>(clock.now() - start).count();
  return history;
}

bool Trainer::run_epoch(History& history) {
  const auto epoch = static_cast<int>(state_.epoch);
  callbacks_.epoch_begin(epoch);
  state_.learning_rate = callbacks_.set_rate();
  progress_.start_epoch(epoch, state_.sums.examples);
  train_epoch();
  Logs logs = finish_epoch();
  state_.stopped = callbacks_.epoch_end(epoch, logs);
  state_.learning_rate = callbacks_.set_rate();
  progress_.end_epoch(logs);
  history.epoch.push_back(epoch);
  for (const auto& [name, value] : logs) history.history[name].push_back(value);
  const auto steps = static_cast<std::int64_t>(steps_per_epoch());
  if (state_.step_in_epoch < steps) return false;  // the limit; a later call may finish the epoch
  // Steps that only other workers had count too, so that all end in the same epoch.
  state_.steps += static_cast<std::int64_t>(steps_per_epoch_max()) - steps;
  ++state_.epoch;
  state_.step_in_epoch = 0;
  state_.sums.reset();
  if (checkpointer_) checkpointer_->epoch_done(state_);
  return true;
}

bool Trainer::done() const {
  return state_.epoch >= options_.epochs || state_.stopped || limit_reached();
}

bool Trainer::limit_reached() const {
  return options_.steps_max > 0 && state_.steps >= options_.steps_max;
}

void Trainer::train_epoch() {
  const auto steps = static_cast<std::int64_t>(steps_per_epoch());
  while (state_.step_in_epoch < steps && !limit_reached()) {
    train_step();
    progress_.step(static_cast<std::size_t>(state_.step_in_epoch), state_.sums,
                   model_.network().objectives());
  }
}

std::size_t Trainer::steps_per_pass() const {
  return model_.exchange().even_steps() ? batcher_.plan().steps_per_epoch_max()
                                        : batcher_.plan().steps_per_epoch();
}

std::size_t Trainer::steps_per_epoch() const {
  const std::size_t pass = steps_per_pass();
  const bool as_data = options_.steps_per_epoch == 0 || pass == 0;
  return as_data ? pass : static_cast<std::size_t>(options_.steps_per_epoch);
}

std::size_t Trainer::steps_per_epoch_max() const {
  return options_.steps_per_epoch == 0 ? batcher_.plan().steps_per_epoch_max()
                                       : static_cast<std::size_t>(options_.steps_per_epoch);
}

const tensor::Batch* Trainer::next_batch() {
  auto pass = static_cast<std::uint64_t>(state_.epoch);
  auto step = static_cast<std::size_t>(state_.step_in_epoch);
  if (options_.steps_per_epoch > 0) {
    const std::uint64_t steps = static_cast<std::uint64_t>(options_.steps_per_epoch) * pass + step;
    pass = steps / steps_per_pass();
    step = steps % steps_per_pass();
  }
  if (pass_ != pass) batcher_.start_epoch(pass);
  pass_ = pass;
  const tensor::Batch* batch = batcher_.batch(step);
  return batch && class_weights_ ? &class_weights_->weigh(*batch) : batch;
}

void Trainer::train_step() {
  Exchange& exchange = model_.exchange();
  exchange.check();
  const tensor::Batch* batch = next_batch();
  if (batch) {
    exchange.expect(batch->size);
    model_.network().train_step(*batch, model_.steps, state_.sums);
  }
  const auto passed = static_cast<std::int64_t>(exchange.step(batch ? batch->size : 0));
  model_.steps += passed;
  state_.model_steps = model_.steps;
  state_.steps += passed;
  state_.step_in_epoch += passed;
  callbacks_.batch_end(state_.steps);
  if (checkpointer_) checkpointer_->step_done(state_);
}

Logs Trainer::finish_epoch() {
  const model::Objectives& objectives = model_.network().objectives();
  state_.sums = merge(model_.exchange().all_gather("fit/epoch", encode(state_.sums)));
  Logs logs = to_logs(state_.sums, objectives, "");
  if (validation_) logs.merge(to_logs(validation_->run("fit/validation"), objectives, "val_"));
  return logs;
}

}  // namespace dtrain::inline v0::strategy
