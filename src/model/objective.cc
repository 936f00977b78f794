#include "model/objective.h"

#include <cmath>
#include <string>
#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::model {
namespace {

using compute::LossFunction;
using compute::MetricFunction;

[[noreturn]] void refuse(const std::string& happened, const std::string& advice) {
  throw Error(ErrorCode::kInvalidArgument, happened, advice);
}

bool from_logits(const SparseCategoricalCrossentropy& loss) { return loss.from_logits; }
bool from_logits(const CategoricalCrossentropy& loss) { return loss.from_logits; }
bool from_logits(const MeanSquaredError& /*loss*/) { return false; }

bool is_cross_entropy(const Loss& loss) { return !std::holds_alternative<MeanSquaredError>(loss); }

void check_cross_entropy(const Loss& loss, const Shape& output_shape, bool ends_in_softmax) {
  const std::string_view name = loss_name(loss);
  if (output_shape.size() != 1) {
    refuse(
        base::str_cat("the loss ", name, " needs one output per class, but the last layer gives ",
                      tensor::to_string(output_shape), " per example"),
        "End the model with Flatten and Dense{classes}");
  }
  if (output_shape[0] < 2) {
    refuse(base::str_cat("the loss ", name,
                         " needs at least 2 classes, but the last layer has 1 "
                         "output"),
           "Give the last Dense one unit per class, or use MeanSquaredError");
  }
  if (ends_in_softmax && std::visit([](const auto& kind) { return from_logits(kind); }, loss)) {
    refuse(base::str_cat("the loss ", name,
                         " has from_logits = true, but the last layer applies softmax already"),
           "Set from_logits = false, or remove the softmax");
  }
}

LossFunction function_of(const Loss& loss, bool logits) {
  if (std::holds_alternative<SparseCategoricalCrossentropy>(loss)) {
    return logits ? LossFunction::kSparseCrossEntropyLogits : LossFunction::kSparseCrossEntropy;
  }
  if (std::holds_alternative<CategoricalCrossentropy>(loss)) {
    return logits ? LossFunction::kCrossEntropyLogits : LossFunction::kCrossEntropy;
  }
  return LossFunction::kSquaredError;
}

MetricFunction function_of(Metric metric, const Shape& output_shape, bool sparse) {
  switch (metric) {
    case Metric::kMeanSquaredError:
    case Metric::kMeanAbsoluteError:
      if (sparse) {
        refuse(base::str_cat("the metric ", metric_name(metric),
                             " needs targets of the output's shape, but the loss "
                             "sparse_categorical_crossentropy takes class indices"),
               "Use CategoricalCrossentropy with one-hot targets, or the metric kAccuracy");
      }
      return metric == Metric::kMeanSquaredError ? MetricFunction::kSquaredError
                                                 : MetricFunction::kAbsoluteError;
    case Metric::kAccuracy:
      break;
  }
  if (output_shape.size() != 1) {
    refuse(base::str_cat("the metric accuracy needs one row of outputs per example, but the last "
                         "layer gives ",
                         tensor::to_string(output_shape)),
           "End the model with Flatten and Dense, or leave the metric out");
  }
  if (output_shape[0] == 1) return MetricFunction::kBinaryAccuracy;
  return sparse ? MetricFunction::kSparseAccuracy : MetricFunction::kCategoricalAccuracy;
}

bool is_argmax(MetricFunction function) {
  return function == MetricFunction::kSparseAccuracy ||
         function == MetricFunction::kCategoricalAccuracy;
}

}  // namespace

void Sums::merge(const Sums& other) {
  loss += other.loss;
  for (std::size_t i = 0; i < kMetricsMax; ++i) metrics[i] += other.metrics[i];
  examples += other.examples;
  nonfinite += other.nonfinite;
}

double Sums::mean_loss() const {
  return examples == 0 ? 0.0 : loss / static_cast<double>(examples);
}

double Sums::mean_metric(std::size_t index) const {
  return examples == 0 ? 0.0 : metrics.at(index) / static_cast<double>(examples);
}

Objective::Objective(const Loss& loss, std::vector<Metric> metrics, const Shape& output_shape,
                     bool ends_in_softmax)
    : loss_(loss),
      metrics_(std::move(metrics)),
      output_shape_(output_shape),
      outputs_(tensor::element_count(output_shape)) {
  if (metrics_.size() > kMetricsMax) {
    refuse(base::str_cat(metrics_.size(), " metrics were given"),
           base::str_cat("Give at most ", kMetricsMax));
  }
  if (is_cross_entropy(loss)) {
    check_cross_entropy(loss, output_shape, ends_in_softmax);
    takes_logits_of_softmax_ = ends_in_softmax;
  }
  const bool logits = std::visit([](const auto& kind) { return from_logits(kind); }, loss);
  function_ = function_of(loss, logits || takes_logits_of_softmax_);
  for (const Metric metric : metrics_) {
    metric_functions_.push_back(function_of(metric, output_shape, is_sparse()));
    // Softmax keeps the order of outputs.
    if (takes_logits_of_softmax_ && !is_argmax(metric_functions_.back())) {
      metrics_need_outputs_ = true;
    }
  }
}

bool Objective::is_sparse() const {
  return std::holds_alternative<SparseCategoricalCrossentropy>(loss_);
}

void Objective::check_targets(const tensor::Batch& batch) const {
  if (batch.targets.empty()) {
    refuse("the batch has no targets", "Give the data set's labels beside its inputs");
  }
  if (batch.targets.size() != 1) {
    refuse(base::str_cat("the batch has ", batch.targets.size(), " targets, the model one output"),
           "Give one target");
  }
  is_sparse() ? check_labels(batch) : check_dense(batch);
}

void Objective::check_labels(const tensor::Batch& batch) const {
  if (batch.targets[0].dtype != tensor::DType::kInt32) {
    refuse(
        base::str_cat("the targets are ", dtype_name(batch.targets[0].dtype),
                      ", but the loss sparse_categorical_crossentropy takes int32 class indices"),
        "Give class indices, or use CategoricalCrossentropy for one-hot targets");
  }
  if (batch.targets[0].count != batch.size) {
    refuse(base::str_cat("the targets have the shape ", tensor::to_string(batch.targets[0].shape),
                         ", but the loss sparse_categorical_crossentropy takes one class index for "
                         "each of the batch's ",
                         batch.size, " examples"),
           "Give targets of the shape (examples)");
  }
  const auto labels = batch.targets[0].as<std::int32_t>();
  for (std::size_t row = 0; row < labels.size(); ++row) {
    if (labels[row] >= 0 && static_cast<std::size_t>(labels[row]) < outputs_) continue;
    const std::uint64_t example =
        row < batch.example_indices.size() ? batch.example_indices[row] : row;
    refuse(base::str_cat("the label of example ", example, " is ", labels[row],
                         ", but the model has ", outputs_, " classes (0 to ", outputs_ - 1, ")"),
           "Correct the label, or give the last layer more units");
  }
}

void Objective::check_dense(const tensor::Batch& batch) const {
  const std::string_view name = loss_name(loss_);
  if (batch.targets[0].dtype != tensor::DType::kFloat32) {
    const char* advice = is_cross_entropy(loss_)
                             ? "Give one-hot targets, or use SparseCategoricalCrossentropy"
                             : "Give the targets as floats";
    refuse(base::str_cat("the targets are ", dtype_name(batch.targets[0].dtype), ", but the loss ",
                         name, " takes float32 values"),
           advice);
  }
  if (batch.targets[0].count != batch.size * outputs_) {
    Shape needed = output_shape_;
    needed.insert(needed.begin(), static_cast<std::int64_t>(batch.size));
    refuse(base::str_cat("the targets have the shape ", tensor::to_string(batch.targets[0].shape),
                         ", but the loss ", name, " takes ", tensor::to_string(needed),
                         ", the shape of the outputs"),
           "Give targets of that shape, or change the last layer's units");
  }
}

Objective::Targets Objective::to_device(compute::Device& device, const tensor::Batch& batch) {
  Targets targets;
  if (is_sparse()) {
    const auto labels = batch.targets[0].as<std::int32_t>();
    targets.labels = labels;
    if (!device.is_host_memory()) {
      const auto copy = labels_.reserve(device, labels.size());
      device.upload(copy.data(), labels.data(), labels.size_bytes());
      targets.labels = copy;
    }
    return targets;
  }
  const auto dense = batch.targets[0].as<float>();
  targets.dense = {dense.data(), batch.size, outputs_};
  if (!device.is_host_memory()) {
    const auto copy = targets_.reserve(device, dense.size());
    device.upload(copy.data(), dense.data(), dense.size_bytes());
    targets.dense.data = copy.data();
  }
  return targets;
}

std::span<const float> Objective::host_values(compute::Device& device,
                                              std::span<const float> values) {
  if (device.is_host_memory()) return values;
  downloaded_.resize(values.size());
  device.download(downloaded_.data(), values.data(), values.size_bytes());
  return downloaded_;
}

void Objective::measure(compute::Device& device, const tensor::Batch& batch,
                        compute::ConstMatrix loss_outputs, compute::ConstMatrix outputs,
                        compute::Matrix gradient, Sums& sums) {
  const Targets targets = to_device(device, batch);
  const auto values = values_.reserve(device, batch.size);
  device.loss({.function = function_,
               .outputs = loss_outputs,
               .labels = targets.labels,
               .targets = targets.dense,
               .scale = 1.0F / static_cast<float>(batch.size),
               .gradient = gradient,
               .losses = values});
  for (const float loss : host_values(device, values)) {
    sums.loss += static_cast<double>(loss);
    if (!std::isfinite(loss)) ++sums.nonfinite;
  }
  for (std::size_t i = 0; i < metric_functions_.size(); ++i) {
    device.metric({.function = metric_functions_[i],
                   .outputs = outputs,
                   .labels = targets.labels,
                   .targets = targets.dense,
                   .values = values});
    for (const float value : host_values(device, values)) {
      sums.metrics[i] += static_cast<double>(value);
    }
  }
  sums.examples += batch.size;
}

}  // namespace dtrain::inline v0::model
