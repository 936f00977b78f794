#include "model/measure.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "dtrain/error.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::model {
namespace {

using compute::LossFunction;
using compute::MetricFunction;

/// Asks of the output what each metric needs.
class Resolver {
 public:
  Resolver(const Metric& metric, const MeasuredOutput& output)
      : name_(metric_name(metric)),
        output_(output),
        columns_(tensor::element_count(output.shape)) {}

  Measure operator()(const metrics::Accuracy& /*metric*/) const {
    require_row();
    if (columns_ == 1) return binary_accuracy(0.5F);
    return argmax(output_.takes_classes ? MetricFunction::kSparseAccuracy
                                        : MetricFunction::kCategoricalAccuracy);
  }
  Measure operator()(const metrics::BinaryAccuracy& metric) const {
    return binary_accuracy(metric.threshold);
  }
  Measure operator()(const metrics::CategoricalAccuracy& /*metric*/) const {
    require_dense("sparse_categorical_accuracy");
    return argmax(MetricFunction::kCategoricalAccuracy);
  }
  Measure operator()(const metrics::SparseCategoricalAccuracy& /*metric*/) const {
    require_classes("categorical_accuracy");
    return argmax(MetricFunction::kSparseAccuracy);
  }
  Measure operator()(const metrics::TopKCategoricalAccuracy& metric) const {
    require_dense("sparse_top_k_categorical_accuracy");
    return top_k(MetricFunction::kCategoricalTopK, metric.k);
  }
  Measure operator()(const metrics::SparseTopKCategoricalAccuracy& metric) const {
    require_classes("top_k_categorical_accuracy");
    return top_k(MetricFunction::kSparseTopK, metric.k);
  }
  Measure operator()(const metrics::Auc& metric) const {
    require_dense("a loss with targets of the output's shape");
    constexpr std::int64_t kThresholdsMax = 50'000;
    if (metric.num_thresholds < 2 || metric.num_thresholds > kThresholdsMax) {
      refuse(base::str_cat(" has num_thresholds = ", metric.num_thresholds),
             base::str_cat("Give 2 to ", kThresholdsMax));
    }
    check_thresholds(metric.thresholds);
    return CountMeasure{.counter = ConfusionCounter(auc_thresholds(metric)),
                        .sigmoid = metric.from_logits};
  }
  Measure operator()(const metrics::Precision& metric) const { return counts(metric); }
  Measure operator()(const metrics::Recall& metric) const { return counts(metric); }
  Measure operator()(const metrics::MeanSquaredError& /*metric*/) const {
    return error(MetricFunction::kSquaredError);
  }
  Measure operator()(const metrics::RootMeanSquaredError& /*metric*/) const {
    MeanMeasure measure = error(MetricFunction::kSquaredError);
    measure.root = true;
    return measure;
  }
  Measure operator()(const metrics::MeanAbsoluteError& /*metric*/) const {
    return error(MetricFunction::kAbsoluteError);
  }
  Measure operator()(const metrics::BinaryCrossentropy& metric) const {
    require_dense("sparse_categorical_crossentropy");
    return cross_entropy(Activation::kSigmoid, metric, LossFunction::kBinaryCrossEntropyLogits,
                         LossFunction::kBinaryCrossEntropy, metric.label_smoothing);
  }
  Measure operator()(const metrics::CategoricalCrossentropy& metric) const {
    require_row();
    require_dense("sparse_categorical_crossentropy");
    return cross_entropy(Activation::kSoftmax, metric, LossFunction::kCrossEntropyLogits,
                         LossFunction::kCrossEntropy, metric.label_smoothing);
  }
  Measure operator()(const metrics::SparseCategoricalCrossentropy& metric) const {
    require_row();
    require_classes("categorical_crossentropy");
    return cross_entropy(Activation::kSoftmax, metric, LossFunction::kSparseCrossEntropyLogits,
                         LossFunction::kSparseCrossEntropy, 0.0F);
  }

 private:
  [[noreturn]] void refuse(const std::string& happened, const std::string& advice) const {
    throw Error(ErrorCode::kInvalidArgument, base::str_cat("the metric ", name_, happened), advice);
  }

  void require_row() const {
    if (output_.shape.size() == 1) return;
    refuse(base::str_cat(" needs one row of outputs per example, but the last layer gives ",
                         tensor::to_string(output_.shape)),
           "End the model with Flatten and Dense, or leave the metric out");
  }
  void require_dense(const char* instead) const {
    if (!output_.takes_classes) return;
    refuse(
        " needs targets of the output's shape, but the loss sparse_categorical_crossentropy takes "
        "class indices",
        base::str_cat("Use CategoricalCrossentropy with one-hot targets, or ", instead));
  }
  void require_classes(const char* instead) const {
    if (output_.takes_classes) return;
    refuse(" takes class indices as targets, but the loss takes targets of the output's shape",
           base::str_cat("Use ", instead, ", or the loss SparseCategoricalCrossentropy"));
  }
  void check_thresholds(const std::vector<float>& thresholds) const {
    for (const float threshold : thresholds) {
      if (threshold >= 0.0F && threshold <= 1.0F) continue;
      refuse(base::str_cat(" has the threshold ", threshold), "Give numbers from 0 to 1");
    }
  }

  MeanMeasure binary_accuracy(float threshold) const {
    require_dense("sparse_categorical_accuracy");
    return {.pass = compute::MetricPass{.function = MetricFunction::kBinaryAccuracy,
                                        .threshold = threshold}};
  }
  /// Activations keep the order of outputs, so that logits serve too.
  MeanMeasure argmax(MetricFunction function) const {
    require_row();
    return {.pass = compute::MetricPass{.function = function}, .takes_logits = true};
  }
  MeanMeasure top_k(MetricFunction function, std::int64_t k) const {
    require_row();
    if (k < 1) refuse(base::str_cat(" has k = ", k), "Give at least 1");
    return {.pass = compute::MetricPass{.function = function, .k = static_cast<std::size_t>(k)}};
  }
  MeanMeasure error(MetricFunction function) const {
    require_dense("the metric accuracy");
    return {.pass = compute::MetricPass{.function = function}};
  }
  template <typename Kind>
  MeanMeasure cross_entropy(Activation activation, const Kind& metric, LossFunction of_logits,
                            LossFunction of_probabilities, float label_smoothing) const {
    if (!(label_smoothing >= 0.0F && label_smoothing < 1.0F)) {
      refuse(base::str_cat(" has label_smoothing = ", label_smoothing), "Give a number in [0, 1)");
    }
    const bool has_logits = output_.activation == activation;
    return {.pass =
                compute::LossPass{
                    .function = metric.from_logits || has_logits ? of_logits : of_probabilities,
                    .label_smoothing = label_smoothing},
            .takes_logits = has_logits};
  }

  /// An output's or a number of outputs, in range.
  std::size_t checked(const char* field, std::int64_t value, std::int64_t low,
                      std::int64_t high) const {
    if (value < low || value > high) {
      refuse(
          base::str_cat(" has ", field, " = ", value, ", but the model has ", columns_, " outputs"),
          base::str_cat("Give ", low, " to ", high));
    }
    return static_cast<std::size_t>(value);
  }
  template <typename Kind>
  CountMeasure counts(const Kind& metric) const {
    require_dense("a metric of class indices");
    check_thresholds(metric.thresholds);
    if (metric.top_k || metric.class_id) require_row();
    std::vector<float> thresholds = metric.thresholds;
    std::ranges::sort(thresholds);
    if (thresholds.empty()) {
      thresholds = {metric.top_k ? std::numeric_limits<float>::lowest() : 0.5F};
    }
    const auto outputs = static_cast<std::int64_t>(columns_);
    CountMeasure measure{.counter = ConfusionCounter(std::move(thresholds))};
    if (metric.top_k) measure.top_k = checked("top_k", *metric.top_k, 1, outputs);
    if (metric.class_id) measure.class_id = checked("class_id", *metric.class_id, 0, outputs - 1);
    return measure;
  }

  const std::string name_;
  const MeasuredOutput& output_;
  const std::size_t columns_;
};

}  // namespace

Measure measure_of(const Metric& metric, const MeasuredOutput& output) {
  return std::visit(Resolver(metric, output), metric);
}

}  // namespace dtrain::inline v0::model
