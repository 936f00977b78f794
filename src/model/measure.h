#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <variant>

#include "compute/device.h"
#include "dtrain/activation.h"
#include "dtrain/metrics.h"
#include "dtrain/variable.h"
#include "model/confusion.h"

namespace dtrain::inline v0::model {

/// The output that is measured.
struct MeasuredOutput {
  Shape shape;                 ///< Of one example.
  bool takes_classes = false;  ///< Its targets are class indices, one per example.
  /// What the output went through last; kLinear also where the logits before it are not at hand.
  Activation activation = Activation::kLinear;
};

/// A mean over examples of what a pass gives for each.
struct MeanMeasure {
  /// All but what a batch fills in.
  std::variant<compute::MetricPass, compute::LossPass> pass;
  bool takes_logits = false;  ///< What went into the activation instead of what came out.
  bool root = false;          ///< The mean's root is the result.
};

/// Counts of predictions above thresholds.
struct CountMeasure {
  ConfusionCounter counter;
  bool sigmoid = false;                   ///< Outputs go through one first.
  std::optional<std::size_t> top_k = {};  ///< An example's other outputs count as lowest.
  std::optional<std::size_t> class_id = {};
};

/// How a metric of an output is measured.
using Measure = std::variant<MeanMeasure, CountMeasure>;

/// Throws invalid_argument where the metric does not fit the output, or a field of it is wrong.
Measure measure_of(const Metric& metric, const MeasuredOutput& output);

}  // namespace dtrain::inline v0::model
