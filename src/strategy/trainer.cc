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
    : Trainer(handle, model, options, divide(data, checked(options))) {}

Trainer::Trainer(Model& handle, Model::Impl& model, const FitOptions& options, const FitData& data)
    : Trainer(handle, model, options,
              make_dataset_source(model, data.training, plan_options(model, data.training, options),
                                  options.steps_per_epoch),
              data.validation) {}

Trainer::Trainer(Model& handle, Model::Impl& model, const Pipeline& data, const FitOptions& options)
    : Trainer(handle, model, options,
              make_pipeline_source(model, data, checked_for_pipeline(options).steps_per_epoch),
              validation_of(options)) {}

Trainer::Trainer(Model& handle, Model::Impl& model, const FitOptions& options,
                 std::unique_ptr<BatchSource> source, const std::optional<Dataset>& validation)
    : model_(model),
      options_(options),
      source_(std::move(source)),
      callbacks_(handle, model, options, validation.has_value()),
      progress_(model.exchange().rank() == 0 ? options.verbosity : Verbosity::kSilent,
                options.epochs, static_cast<std::size_t>(source_->steps_per_epoch())),
      finite_(model) {
  if (validation) validation_.emplace(model, *validation, options.batch_size);
  if (!options.class_weight.empty()) class_weights_.emplace(options.class_weight);
  if (!options.checkpoint_dir.empty()) checkpointer_.emplace(model, options, source_->plan());
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
  const bool ended = train_epoch();
  Logs logs = finish_epoch();
  state_.stopped = callbacks_.epoch_end(epoch, logs);
  state_.learning_rate = callbacks_.set_rate();
  progress_.end_epoch(logs);
  history.epoch.push_back(epoch);
  for (const auto& [name, value] : logs) history.history[name].push_back(value);
  if (!ended) return false;  // the limit; a later call may finish the epoch
  // Steps that only other workers had count too, so that all end in the same epoch.
  state_.steps += source_->steps_per_epoch_max() - source_->steps_per_epoch();
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

bool Trainer::train_epoch() {
  while (source_->start_step(state_.epoch, state_.step_in_epoch)) {
    if (limit_reached()) return false;
    train_step();
    progress_.step(static_cast<std::size_t>(state_.step_in_epoch), state_.sums,
                   model_.network().objectives());
  }
  return true;
}

const tensor::Batch* Trainer::next_batch() {
  const tensor::Batch* batch = source_->batch();
  return batch && class_weights_ ? &class_weights_->weigh(*batch) : batch;
}

void Trainer::train_step() {
  Exchange& exchange = model_.exchange();
  exchange.check();
  const tensor::Batch* batch = next_batch();
  if (batch) {
    exchange.expect(batch->size);
    model_.network().train_step(*batch, model_.steps, state_.sums);
    finite_.check(*batch, state_.sums);
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
