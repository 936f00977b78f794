#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "dtrain/alternative.h"
#include "dtrain/export.h"

namespace dtrain::inline v0 {

// Keras's metrics (keras.metrics) with its formulas and defaults. Logs show them under `name`;
// empty, under Keras's ("auc", "binary_accuracy"), and the second of the same name with "_1" behind
// it.
//
// Accuracies and errors are means over examples. Outputs are taken as they leave the model: where
// they are logits, a threshold of 0 is what 0.5 is for probabilities.
namespace metrics {

/// By Keras's rule for "accuracy": with one output per example BinaryAccuracy, with class indices
/// as targets SparseCategoricalAccuracy, otherwise CategoricalAccuracy.
struct Accuracy {
  std::string name = {};
  bool operator==(const Accuracy&) const = default;
};

/// How many of an example's outputs are above the threshold just where the target is 1.
struct BinaryAccuracy {
  float threshold = 0.5F;
  std::string name = {};
  bool operator==(const BinaryAccuracy&) const = default;
};

/// Whether the largest output stands where the largest target does. The first of equals counts.
struct CategoricalAccuracy {
  std::string name = {};
  bool operator==(const CategoricalAccuracy&) const = default;
};

/// Whether the largest output is that of the class that the target names.
struct SparseCategoricalAccuracy {
  std::string name = {};
  bool operator==(const SparseCategoricalAccuracy&) const = default;
};

/// Whether fewer than k outputs are larger than that of the largest target.
struct TopKCategoricalAccuracy {
  std::int64_t k = 5;  ///< At least 1.
  std::string name = {};
  bool operator==(const TopKCategoricalAccuracy&) const = default;
};

/// Whether fewer than k outputs are larger than that of the class that the target names.
struct SparseTopKCategoricalAccuracy {
  std::int64_t k = 5;  ///< At least 1.
  std::string name = {};
  bool operator==(const SparseTopKCategoricalAccuracy&) const = default;
};

enum class AucCurve {
  kRoc,  ///< True positives' rate over that of false positives.
  kPr,   ///< Precision over recall.
};

enum class AucSummation {
  kInterpolation,  ///< Trapezoids; for kPr the interpolation of Davis and Goadrich (2006).
  kMinoring,       ///< The lower end of each interval.
  kMajoring,       ///< The upper end.
};

/// Area under a curve drawn through the counts at `num_thresholds` thresholds in [0, 1]; several
/// outputs per example count one by one.
struct Auc {
  std::int64_t num_thresholds = 200;  ///< At least 2: evenly from 0 to 1.
  AucCurve curve = AucCurve::kRoc;
  AucSummation summation_method = AucSummation::kInterpolation;
  /// Instead of num_thresholds: those between 0 and 1, in [0, 1].
  std::vector<float> thresholds = {};
  bool from_logits = false;  ///< Outputs go through a sigmoid first.
  std::string name = {};
  bool operator==(const Auc&) const = default;
};

/// Of the outputs above a threshold, how many have a target that is not 0.
struct Precision {
  /// Empty: 0.5, or with top_k all of those. Of several each is shown by itself:
  /// "precision_at_0.3".
  std::vector<float> thresholds = {};
  std::optional<std::int64_t> top_k = {};     ///< Only an example's so many largest outputs count.
  std::optional<std::int64_t> class_id = {};  ///< Only this output counts.
  std::string name = {};
  bool operator==(const Precision&) const = default;
};

/// Of the outputs whose target is not 0, how many are above a threshold. As Precision otherwise.
struct Recall {
  std::vector<float> thresholds = {};
  std::optional<std::int64_t> top_k = {};
  std::optional<std::int64_t> class_id = {};
  std::string name = {};
  bool operator==(const Recall&) const = default;
};

struct MeanSquaredError {
  std::string name = {};
  bool operator==(const MeanSquaredError&) const = default;
};

/// The root of the mean squared error over all examples.
struct RootMeanSquaredError {
  std::string name = {};
  bool operator==(const RootMeanSquaredError&) const = default;
};

struct MeanAbsoluteError {
  std::string name = {};
  bool operator==(const MeanAbsoluteError&) const = default;
};

/// The loss of this name; so the next two.
struct BinaryCrossentropy {
  bool from_logits = false;
  float label_smoothing = 0.0F;
  std::string name = {};
  bool operator==(const BinaryCrossentropy&) const = default;
};

struct CategoricalCrossentropy {
  bool from_logits = false;
  float label_smoothing = 0.0F;
  std::string name = {};
  bool operator==(const CategoricalCrossentropy&) const = default;
};

struct SparseCategoricalCrossentropy {
  bool from_logits = false;
  std::string name = {};
  bool operator==(const SparseCategoricalCrossentropy&) const = default;
};

}  // namespace metrics

using MetricKind =
    std::variant<metrics::Accuracy, metrics::BinaryAccuracy, metrics::CategoricalAccuracy,
                 metrics::SparseCategoricalAccuracy, metrics::TopKCategoricalAccuracy,
                 metrics::SparseTopKCategoricalAccuracy, metrics::Auc, metrics::Precision,
                 metrics::Recall, metrics::MeanSquaredError, metrics::RootMeanSquaredError,
                 metrics::MeanAbsoluteError, metrics::BinaryCrossentropy,
                 metrics::CategoricalCrossentropy, metrics::SparseCategoricalCrossentropy>;

/// What compile() can watch beside the loss: one of the structs above, or Keras's identifier of
/// one, which has the defaults and is the name shown: "accuracy", "auc", "mse".
class DTRAIN_EXPORT Metric : public MetricKind {
 public:
  Metric() = default;
  template <AlternativeOf<MetricKind> Kind>
  Metric(Kind kind) : MetricKind(std::move(kind)) {}  // NOLINT(google-explicit-constructor)
  /// Throws invalid_argument that lists the names there are.
  template <Identifier Name>
  Metric(const Name& identifier)  // NOLINT(google-explicit-constructor)
      : MetricKind(named(identifier)) {}

 private:
  static MetricKind named(std::string_view identifier);
};

/// What logs show it as: its name, or Keras's.
DTRAIN_EXPORT std::string metric_name(const Metric& metric);

/// Whether more of it is better (accuracy) or less (errors).
DTRAIN_EXPORT bool metric_rises(const Metric& metric);

}  // namespace dtrain::inline v0
