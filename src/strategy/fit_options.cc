#include "strategy/fit_options.h"

#include <cmath>
#include <string>
#include <utility>

#include "base/refuse.h"
#include "base/strings.h"

namespace dtrain::inline v0::strategy {
namespace {

using base::refuse;

void check_checkpoint(const FitOptions& options) {
  const CheckpointOptions& checkpoint = options.checkpoint;
  if (checkpoint.every_steps < 0 || checkpoint.every.count() < 0 || checkpoint.max_to_keep < 1) {
    refuse(base::str_cat("FitOptions::checkpoint has every_steps = ", checkpoint.every_steps,
                         ", every = ", checkpoint.every.count(),
                         " ms, max_to_keep = ", checkpoint.max_to_keep),
           "Give 0 or more for the first two, and at least 1 for the last");
  }
  const bool has_rhythm = checkpoint.every_steps > 0 || checkpoint.every.count() > 0;
  if (has_rhythm && options.checkpoint_dir.empty()) {
    refuse("FitOptions::checkpoint says when to save, but checkpoint_dir is empty",
           "Give the folder too");
  }
}

}  // namespace

const FitOptions& checked(const FitOptions& options) {
  if (options.epochs < 1) {
    refuse(base::str_cat("FitOptions::epochs is ", options.epochs), "Give at least 1");
  }
  if (options.initial_epoch < 0) {
    refuse(base::str_cat("FitOptions::initial_epoch is ", options.initial_epoch), "Give 0 or more");
  }
  if (options.steps_max < 0) {
    refuse(base::str_cat("FitOptions::steps_max is ", options.steps_max),
           "Give 0 for no limit, or at least 1");
  }
  if (options.steps_per_epoch < 0) {
    refuse(base::str_cat("FitOptions::steps_per_epoch is ", options.steps_per_epoch),
           "Give 0 for as many as the data have, or at least 1");
  }
  const double split = options.validation_split;
  if (!(split >= 0.0 && split < 1.0)) {
    refuse(base::str_cat("FitOptions::validation_split is ", split),
           "Give a number in [0, 1): the fraction of the data that is validated with");
  }
  if (split > 0.0 && options.validation) {
    refuse("FitOptions has both validation and validation_split", "Give one of them");
  }
  for (const auto& [id, weight] : options.class_weight) {
    if (id >= 0 && weight >= 0.0F && std::isfinite(weight)) continue;
    refuse(base::str_cat("FitOptions::class_weight gives class ", id, " the weight ", weight),
           "Give classes from 0, and finite weights of at least 0");
  }
  check_checkpoint(options);
  return options;
}

const FitOptions& checked_for_pipeline(const FitOptions& options) {
  if (options.validation_split > 0.0) {
    refuse("FitOptions::validation_split is set, but the data are a pipeline",
           "Give FitOptions::validation");
  }
  if (options.seed != 0) {
    refuse("FitOptions::seed is set, but the data are a pipeline, which decides their order",
           "Give the seed to Pipeline::shuffle()");
  }
  return checked(options);
}

FitData divide(const Dataset& data, const FitOptions& options) {
  if (options.validation_split > 0.0) {
    auto [training, validation] = data.split(options.validation_split);
    return {std::move(training), std::move(validation)};
  }
  return {data, validation_of(options)};
}

std::optional<Dataset> validation_of(const FitOptions& options) {
  if (options.validation) return *options.validation;
  return std::nullopt;
}

}  // namespace dtrain::inline v0::strategy
