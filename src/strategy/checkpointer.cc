#include "strategy/checkpointer.h"

#include <cstdio>
#include <utility>

#include "base/strings.h"
#include "strategy/model_impl.h"
#include "strategy/sums_codec.h"

namespace dtrain::inline v0::strategy {
namespace {

/// `accuracy, auc`
/// What tells whether the sums of an epoch mean the same: AUCs may differ in their thresholds.
std::string metric_names(const model::Objectives& objectives) {
  std::vector<std::string> names;
  for (const auto& [name, value] : objectives.results({})) {
    if (name != "loss") names.push_back(name);
  }
  return base::str_cat(base::join(names), " in ", objectives.state_count(), " numbers");
}

}  // namespace

Checkpointer::Checkpointer(Model::Impl& model, const FitOptions& options,
                           const data::BatchPlanOptions& plan)
    : model_(model),
      exchange_(model.exchange()),
      options_(options.checkpoint),
      data_{.plan = plan,
            .model_seed = model.seed(),
            .steps_per_epoch = options.steps_per_epoch,
            .metrics = metric_names(model.network().objectives())},
      files_(checkpoint::make_real_file_system()),
      saved_at_(clock_.now()) {
  if (!is_chief()) return;
  directory_.emplace(*files_, options.checkpoint_dir, exchange_.logger());
  directory_->prepare();
}

std::string Checkpointer::seconds_since(base::TimePoint start) const {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3f",
                std::chrono::duration<double>(clock_.now() - start).count());
  return text;
}

TrainState Checkpointer::resume(const TrainState& start) {
  TrainState state = start;
  if (!options_.resume) return state;
  const auto path = is_chief() ? directory_->latest() : std::nullopt;
  if (path) state = restore(*path);
  // An empty word from the chief: there is nothing to resume from.
  const auto words = exchange_.all_gather("fit/resume", path ? encode(state) : std::string());
  if (words.front().empty()) return state;
  if (!is_chief()) {
    state = decode_train_state(words.front());
    state.sums = {};  // the chief has everybody's
  }
  exchange_.refresh();
  model_.steps = state.model_steps;
  steps_ = state.steps;
  saved_ = state;
  return state;
}

TrainState Checkpointer::restore(const std::string& path) {
  const base::TimePoint start = clock_.now();
  const auto reader = checkpoint::open_checkpoint(*files_, path);
  reader->verify();  // nothing is changed by a damaged file
  const TrainState state = restore_train_state(*reader, data_, exchange_.logger());
  exchange_.restore(*reader);
  exchange_.logger().info("resumes from \"", path, "\", read in ", seconds_since(start),
                          " s: ", state.steps, " steps are done; epoch ", state.epoch + 1,
                          state.stopped
                              ? " does not come, because on_epoch_end ended the training"
                              : base::str_cat(" goes on after step ", state.step_in_epoch));
  return state;
}

bool Checkpointer::is_due() const {
  return options_.every.count() > 0 && clock_.now() - saved_at_ >= options_.every;
}

void Checkpointer::step_done(const TrainState& state) {
  const bool alone = exchange_.workers() == 1;
  TrainState merged = state;
  const std::int64_t before = std::exchange(steps_, state.steps);
  if (options_.every_steps > 0 &&
      state.steps / options_.every_steps != before / options_.every_steps) {
    // All know that this step is one: their sums can be part of it.
    if (exchange_.in_step() && !alone) {
      merged.sums = merge(exchange_.all_gather("fit/checkpoint", encode(state.sums)));
    } else if (!alone) {
      merged.sums = {};
    }
    if (is_chief()) save(merged);
  } else if (is_chief() && is_due()) {
    // The others do not know; without their sums the chief's would be a part for the whole.
    if (!alone) merged.sums = {};
    save(merged);
  }
}

void Checkpointer::epoch_done(const TrainState& state) {
  const bool by_epochs = options_.every_steps == 0 && options_.every.count() == 0;
  // An end that on_epoch_end asked for must not be forgotten, whatever the rhythm.
  if (is_chief() && (by_epochs || state.stopped)) save(state);
}

void Checkpointer::training_done(const TrainState& state, bool changed) {
  if (is_chief() && (changed || saved_ != state)) save(state);
}

void Checkpointer::save(const TrainState& state) {
  const base::TimePoint start = clock_.now();
  const std::string path =
      directory_->save(state.model_steps, options_.max_to_keep, [&](checkpoint::Writer& writer) {
        exchange_.save(writer);
        save_train_state(writer, state, data_);
      });
  saved_at_ = clock_.now();
  saved_ = state;
  exchange_.logger().info("saved \"", path, "\", ", (files_->open(path)->size() + 999) / 1000,
                          " kB; training waited ", seconds_since(start), " s for it");
}

}  // namespace dtrain::inline v0::strategy
