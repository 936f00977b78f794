#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/device.h"
#include "dtrain/activation.h"
#include "dtrain/losses.h"
#include "dtrain/metrics.h"
#include "dtrain/variable.h"
#include "model/metric_set.h"
#include "tensor/view.h"

namespace dtrain::inline v0::model {

/// Sums over examples, which add up over batches and workers. A plain value.
struct Sums {
  double loss = 0.0;
  std::uint64_t examples = 0;  ///< What the loss is divided by.
  /// Examples whose loss is NaN or infinite: above 0, the training has diverged or an input is not
  /// a number (and `loss` is not finite).
  std::uint64_t nonfinite = 0;
  /// The states of the metrics, one behind the other; empty before the first batch.
  std::vector<double> metrics = {};

  /// Throws protocol where both have metrics, and other ones.
  void merge(const Sums& other);
  /// Mean loss; 0 without examples.
  double mean_loss() const;
  /// Back to zero; memory stays.
  void reset();

  bool operator==(const Sums&) const = default;
};

/// What one output of a model is measured with.
struct ObjectiveOptions {
  Loss loss = MeanSquaredError{};
  std::vector<Metric> metrics = {};
  std::vector<Metric> weighted_metrics = {};  ///< Those that count examples by their weights.
  float loss_weight = 1.0F;                   ///< Of several outputs: multiplies the gradient.
};

/// What a batch's outputs should be. Borrowed, in host memory.
struct Truth {
  std::size_t size = 0;  ///< Examples.
  const tensor::View& targets;
  const tensor::View& weights;  ///< (size) float32, or without data: all are 1.
  std::span<const std::uint64_t> example_indices = {};  ///< For messages.
};

/// What a model gave for a batch, in device memory.
struct Outputs {
  compute::ConstMatrix values;  ///< Read unless takes_logits(), or if metrics_need_outputs().
  compute::ConstMatrix logits;  ///< What went into the last activation; read if takes_logits().
};

/// A batch's losses, each times its weight, not yet divided by anything.
struct LossSum {
  double loss = 0.0;
  std::uint64_t nonfinite = 0;
};

/// A loss and metrics, resolved for one output of a model. Confined to one thread; allocates
/// nothing once it has seen its largest batch.
class Objective {
 public:
  /// `activation`: the model's last operation for this output, if what goes into it is at hand;
  /// kLinear otherwise. Throws invalid_argument where loss or metric and the output do not fit.
  Objective(const ObjectiveOptions& options, const Shape& output_shape,
            Activation activation = Activation::kLinear);

  const Loss& loss() const { return options_.loss; }
  const MetricSet& metrics() const { return metrics_; }
  /// The loss takes what goes into the last activation instead of what comes out of it.
  bool takes_logits() const { return takes_logits_; }
  /// A metric needs the outputs even so.
  bool metrics_need_outputs() const { return takes_logits_ && metrics_.needs_outputs(); }

  /// Throws invalid_argument for targets or weights of the wrong type or shape and for a target
  /// out of range, which it names with its example.
  void check(const Truth& truth) const;

  /// Measures a batch that check() has let through; adds to `metrics`, metrics().state_count()
  /// doubles. `gradient` gets the gradient of loss_weight times the batch's mean loss, unless its
  /// data is null.
  LossSum measure(compute::Device& device, const Outputs& outputs, const Truth& truth,
                  compute::Matrix gradient, std::span<double> metrics);

 private:
  /// Targets and weights on both sides.
  struct Prepared {
    std::span<const std::int32_t> labels;
    compute::ConstMatrix targets;
    std::span<const float> weights;
    std::span<const float> host_targets;
    std::span<const float> host_weights;
  };

  bool is_sparse() const;
  void check_classes(const Truth& truth) const;
  void check_dense(const Truth& truth) const;
  void check_probabilities(const Truth& truth) const;
  void check_weights(const Truth& truth) const;
  Prepared prepare(compute::Device& device, const Truth& truth);

  ObjectiveOptions options_;
  Shape output_shape_;
  std::size_t outputs_ = 0;
  compute::LossPass pass_;  ///< All but what a batch fills in.
  bool takes_logits_ = false;
  MetricSet metrics_;
  compute::Buffer<float> losses_;
  compute::Buffer<float> targets_;
  compute::Buffer<float> weights_;
  compute::Buffer<std::int32_t> labels_;
  std::vector<float> host_losses_;
  std::vector<float> host_targets_;        ///< Of integers.
  std::vector<std::int32_t> host_labels_;  ///< Of 64-bit integers.
};

}  // namespace dtrain::inline v0::model
