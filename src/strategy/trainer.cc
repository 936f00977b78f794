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
}

History Trainer::run() {
  const base::SteadyClock clock;
  const base::TimePoint start = clock.now();
  History history;
  for (int epoch = 0; epoch < options_.epochs && !limit_reached(); ++epoch) {
    progress_.start_epoch(epoch);
    const Logs logs = finish_epoch(train_epoch(epoch));
    progress_.end_epoch(logs);
    history.epoch.push_back(epoch);
    for (const auto& [name, value] : logs) history.history[name].push_back(value);
    if (stop_requested(epoch, logs)) break;
  }
  // Asynchronous workers end up with the same values only now that all have pushed.
  model_.exchange().refresh();
  history.steps = steps_;
  history.seconds = std::chrono::duration<double>(clock.now() - start).count();
  return history;
}

bool Trainer::limit_reached() const {
  return options_.steps_max > 0 && steps_ >= options_.steps_max;
}

model::Sums Trainer::train_epoch(int epoch) {
  batcher_.start_epoch(static_cast<std::uint64_t>(epoch));
  model::Sums sums;
  const std::size_t steps = steps_per_epoch();
  for (std::size_t step = 0; step < steps && !limit_reached();) {
    step += train_step(step, sums);
    progress_.step(step, sums, model_.network().objective());
  }
  return sums;
}

std::size_t Trainer::steps_per_epoch() const {
  return model_.exchange().even_steps() ? batcher_.plan().steps_per_epoch_max()
                                        : batcher_.plan().steps_per_epoch();
}

std::size_t Trainer::train_step(std::size_t step, model::Sums& sums) {
  Exchange& exchange = model_.exchange();
  exchange.check();
  const tensor::Batch* batch = batcher_.batch(step);
  if (batch) model_.network().train_step(*batch, model_.steps, sums);
  const std::uint64_t passed = exchange.step(batch ? batch->size : 0);
  model_.steps += static_cast<std::int64_t>(passed);
  steps_ += static_cast<std::int64_t>(passed);
  if (options_.on_step_end) options_.on_step_end(steps_);
  return passed;
}

Logs Trainer::finish_epoch(const model::Sums& own) {
  const model::Objective& objective = model_.network().objective();
  const model::Sums merged = merge(model_.exchange().all_gather("fit/epoch", encode(own)));
  Logs logs = to_logs(merged, objective, "");
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
