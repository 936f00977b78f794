#pragma once

#include <optional>

#include "dtrain/dataset.h"
#include "dtrain/model.h"

namespace dtrain::inline v0::strategy {

/// The options themselves. Throws invalid_argument that names the field.
const FitOptions& checked(const FitOptions& options);

/// The same for training from a pipeline, which decides what batches and their order are.
const FitOptions& checked_for_pipeline(const FitOptions& options);

/// What a call of fit() trains on and what it validates with.
struct FitData {
  Dataset training;
  std::optional<Dataset> validation;
};

/// As the options divide it. Throws invalid_argument where they cannot.
FitData divide(const Dataset& data, const FitOptions& options);
std::optional<Dataset> validation_of(const FitOptions& options);

}  // namespace dtrain::inline v0::strategy
