#include "model/objective.h"

#include <cmath>
#include <limits>
#include <string>

#include "base/refuse.h"
#include "base/strings.h"
#include "dtrain/error.h"
#include "model/loss_rules.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::model {
namespace {

using base::refuse;

/// The example that a row of a batch is, as the data set counts.
std::uint64_t example_of(const Truth& truth, std::size_t row) {
  return row < truth.example_indices.size() ? truth.example_indices[row] : row;
}

/// The shape of a batch's targets.
std::string batch_shape(std::size_t size, Shape shape) {
  shape.insert(shape.begin(), static_cast<std::int64_t>(size));
  return tensor::to_string(shape);
}

/// Calls `use` with a span of the view's elements; false for a type that is no number.
template <typename Use>
bool with_numbers(const tensor::View& view, const Use& use) {
  switch (view.dtype) {
    case tensor::DType::kFloat32:
      use(view.as<float>());
      return true;
    case tensor::DType::kInt32:
      use(view.as<std::int32_t>());
      return true;
    case tensor::DType::kInt64:
      use(view.as<std::int64_t>());
      return true;
    default:
      return false;
  }
}

const Shape& checked(const Loss& loss, const Shape& output_shape, Activation activation) {
  check_loss(loss, output_shape, activation);
  return output_shape;
}

template <typename T>
std::span<const T> uploaded(compute::Device& device, std::span<const T> elements,
                            compute::Buffer<T>& memory) {
  if (device.is_host_memory() || elements.empty()) return elements;
  const std::span<T> copy = memory.reserve(device, elements.size());
  device.upload(copy.data(), elements.data(), elements.size_bytes());
  return copy;
}

}  // namespace

void Sums::merge(const Sums& other) {
  loss += other.loss;
  examples += other.examples;
  nonfinite += other.nonfinite;
  if (metrics.empty()) metrics.resize(other.metrics.size());
  if (!other.metrics.empty() && other.metrics.size() != metrics.size()) {
    throw Error(ErrorCode::kProtocol,
                base::str_cat("workers count their metrics in ", metrics.size(), " and in ",
                              other.metrics.size(), " numbers"),
                "Give compile() the same metrics on every worker");
  }
  for (std::size_t i = 0; i < other.metrics.size(); ++i) metrics[i] += other.metrics[i];
}

double Sums::mean_loss() const {
  return examples == 0 ? 0.0 : loss / static_cast<double>(examples);
}

void Sums::reset() {
  loss = 0.0;
  examples = 0;
  nonfinite = 0;
  metrics.assign(metrics.size(), 0.0);
}

Objective::Objective(const ObjectiveOptions& options, const Shape& output_shape,
                     Activation activation)
    : options_(options),
      output_shape_(checked(options.loss, output_shape, activation)),
      outputs_(tensor::element_count(output_shape)),
      takes_logits_(activation != Activation::kLinear && activation == activation_of(options.loss)),
      metrics_(options.metrics, options.weighted_metrics,
               {.shape = output_shape,
                .takes_classes = takes_classes(options.loss),
                .activation = takes_logits_ ? activation : Activation::kLinear}) {
  pass_ = loss_pass(options.loss, takes_logits_);
}

bool Objective::is_sparse() const { return takes_classes(options_.loss); }

void Objective::check(const Truth& truth) const {
  if (truth.targets.data == nullptr) {
    refuse("the batch has no targets", "Give the data set's labels beside its inputs");
  }
  is_sparse() ? check_classes(truth) : check_dense(truth);
  check_weights(truth);
}

void Objective::check_classes(const Truth& truth) const {
  const tensor::View& targets = truth.targets;
  if (targets.dtype != tensor::DType::kInt32 && targets.dtype != tensor::DType::kInt64) {
    refuse(
        base::str_cat("the targets are ", dtype_name(targets.dtype),
                      ", but the loss sparse_categorical_crossentropy takes int32 class indices"),
        "Give class indices, or use CategoricalCrossentropy for one-hot targets");
  }
  if (targets.count != truth.size) {
    refuse(base::str_cat("the targets have the shape ", tensor::to_string(targets.shape),
                         ", but the loss sparse_categorical_crossentropy takes one class index for "
                         "each of the batch's ",
                         truth.size, " examples"),
           "Give targets of the shape (examples)");
  }
  with_numbers(targets, [&](const auto labels) {
    for (std::size_t row = 0; row < labels.size(); ++row) {
      if (labels[row] >= 0 && static_cast<std::size_t>(labels[row]) < outputs_) continue;
      refuse(base::str_cat("the label of example ", example_of(truth, row), " is ", labels[row],
                           ", but the model has ", outputs_, " classes (0 to ", outputs_ - 1, ")"),
             "Correct the label, or give the last layer more units");
    }
  });
}

void Objective::check_dense(const Truth& truth) const {
  const tensor::View& targets = truth.targets;
  const std::string_view name = loss_name(options_.loss);
  const bool binary = std::holds_alternative<BinaryCrossentropy>(options_.loss);
  if (!binary && targets.dtype != tensor::DType::kFloat32) {
    const char* advice = is_categorical(options_.loss)
                             ? "Give one-hot targets, or use SparseCategoricalCrossentropy"
                             : "Give the targets as floats";
    refuse(base::str_cat("the targets are ", dtype_name(targets.dtype), ", but the loss ", name,
                         " takes float32 values"),
           advice);
  }
  if (targets.count != truth.size * outputs_) {
    refuse(base::str_cat("the targets have the shape ", tensor::to_string(targets.shape),
                         ", but the loss ", name, " takes ", batch_shape(truth.size, output_shape_),
                         ", the shape of the outputs"),
           "Give targets of that shape, or change the last layer's units");
  }
  if (binary) check_probabilities(truth);
}

void Objective::check_probabilities(const Truth& truth) const {
  const bool numbers = with_numbers(truth.targets, [&](const auto targets) {
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const auto target = static_cast<float>(targets[i]);
      if (target >= 0.0F && target <= 1.0F) continue;
      refuse(
          base::str_cat("a target of example ", example_of(truth, i / outputs_), " is ", targets[i],
                        ", but the loss binary_crossentropy takes numbers from 0 "
                        "to 1"),
          "Correct it, or use a categorical loss for more than two classes");
    }
  });
  if (numbers) return;
  refuse(base::str_cat("the targets are ", dtype_name(truth.targets.dtype),
                       ", but the loss binary_crossentropy takes numbers"),
         "Give 0 and 1");
}

void Objective::check_weights(const Truth& truth) const {
  const tensor::View& weights = truth.weights;
  if (weights.data == nullptr) return;
  if (weights.dtype == tensor::DType::kFloat32 && weights.count == truth.size) return;
  refuse(base::str_cat("the sample weights are ", dtype_name(weights.dtype), " of the shape ",
                       tensor::to_string(weights.shape)),
         base::str_cat("Give one float32 for each of the batch's ", truth.size, " examples"));
}

Objective::Prepared Objective::prepare(compute::Device& device, const Truth& truth) {
  Prepared prepared;
  if (truth.weights.data != nullptr) prepared.host_weights = truth.weights.as<float>();
  prepared.weights = uploaded(device, prepared.host_weights, weights_);
  if (is_sparse()) {
    std::span<const std::int32_t> labels;
    if (truth.targets.dtype == tensor::DType::kInt32) {
      labels = truth.targets.as<std::int32_t>();
    } else {
      const auto wide = truth.targets.as<std::int64_t>();
      host_labels_.assign(wide.begin(), wide.end());
      labels = host_labels_;
    }
    prepared.labels = uploaded(device, labels, labels_);
    return prepared;
  }
  if (truth.targets.dtype == tensor::DType::kFloat32) {
    prepared.host_targets = truth.targets.as<float>();
  } else {
    with_numbers(truth.targets, [this](const auto targets) {
      host_targets_.resize(targets.size());
      for (std::size_t i = 0; i < targets.size(); ++i) {
        host_targets_[i] = static_cast<float>(targets[i]);
      }
    });
    prepared.host_targets = host_targets_;
  }
  prepared.targets = {uploaded(device, prepared.host_targets, targets_).data(), truth.size,
                      outputs_};
  return prepared;
}

LossSum Objective::measure(compute::Device& device, const Outputs& outputs, const Truth& truth,
                           compute::Matrix gradient, std::span<double> metrics) {
  const Prepared prepared = prepare(device, truth);
  const std::span<float> losses = losses_.reserve(device, truth.size);
  compute::LossPass pass = pass_;
  pass.outputs = takes_logits_ ? outputs.logits : outputs.values;
  pass.labels = prepared.labels;
  pass.targets = prepared.targets;
  pass.weights = prepared.weights;
  pass.scale = options_.loss_weight / static_cast<float>(truth.size);
  pass.gradient = gradient;
  pass.losses = losses;
  device.loss(pass);

  std::span<const float> host_losses = losses;
  if (!device.is_host_memory()) {
    host_losses_.resize(losses.size());
    device.download(host_losses_.data(), losses.data(), losses.size_bytes());
    host_losses = host_losses_;
  }
  LossSum sum;
  for (const float loss : host_losses) {
    sum.loss += static_cast<double>(loss);
    if (!std::isfinite(loss)) ++sum.nonfinite;
  }
  metrics_.add(device,
               {.outputs = outputs.values,
                .logits = takes_logits_ ? outputs.logits : outputs.values,
                .labels = prepared.labels,
                .targets = prepared.targets,
                .host_targets = prepared.host_targets,
                .host_weights = prepared.host_weights},
               metrics);
  return sum;
}

}  // namespace dtrain::inline v0::model
