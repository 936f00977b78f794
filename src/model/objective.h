#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "compute/device.h"
#include "dtrain/losses.h"
#include "dtrain/metrics.h"
#include "dtrain/variable.h"
#include "tensor/view.h"

namespace dtrain::inline v0::model {

constexpr std::size_t kMetricsMax = 8;

/// Sums over examples, which add up over batches and workers; divide by `examples` for what Keras
/// shows. A plain value.
struct Sums {
  double loss = 0.0;
  std::array<double, kMetricsMax> metrics{};  ///< In the order of the metrics given.
  std::uint64_t examples = 0;
  /// Examples whose loss is NaN or infinite: above 0, the training has diverged or an input is not
  /// a number (and `loss` is not finite).
  std::uint64_t nonfinite = 0;

  void merge(const Sums& other);
  /// Mean loss; 0 without examples.
  double mean_loss() const;
  /// Mean of the metric at `index`; 0 without examples.
  double mean_metric(std::size_t index) const;

  bool operator==(const Sums&) const = default;
};

/// What a network's outputs are measured with: a loss and metrics, resolved for its last layer.
/// Confined to one thread.
class Objective {
 public:
  /// `ends_in_softmax`: the network's last operation is a softmax. Throws invalid_argument where
  /// loss or metric and the outputs do not fit.
  Objective(const Loss& loss, std::vector<Metric> metrics, const Shape& output_shape,
            bool ends_in_softmax);

  const Loss& loss() const { return loss_; }
  const std::vector<Metric>& metrics() const { return metrics_; }
  /// The loss takes what goes into the last softmax instead of what comes out of it.
  bool takes_logits_of_softmax() const { return takes_logits_of_softmax_; }
  /// A metric needs the outputs after the softmax even so.
  bool metrics_need_outputs() const { return metrics_need_outputs_; }

  /// Throws invalid_argument for targets of the wrong type or shape and for a label out of range,
  /// which it names with its example.
  void check_targets(const tensor::Batch& batch) const;

  /// Adds the batch's losses and metrics to `sums`. `loss_outputs`: what takes_logits_of_softmax()
  /// says; `outputs` for the metrics (either serves unless metrics_need_outputs()). `gradient`
  /// gets the gradient of the batch's mean loss, unless its data is null. All in device memory
  /// except the batch, which check_targets() has let through.
  void measure(compute::Device& device, const tensor::Batch& batch,
               compute::ConstMatrix loss_outputs, compute::ConstMatrix outputs,
               compute::Matrix gradient, Sums& sums);

 private:
  struct Targets {
    std::span<const std::int32_t> labels;
    compute::ConstMatrix dense;
  };

  bool is_sparse() const;
  void check_labels(const tensor::Batch& batch) const;
  void check_dense(const tensor::Batch& batch) const;
  Targets to_device(compute::Device& device, const tensor::Batch& batch);
  /// The device's per-example values, readable by the host.
  std::span<const float> host_values(compute::Device& device, std::span<const float> values);

  Loss loss_;
  std::vector<Metric> metrics_;
  std::vector<compute::MetricFunction> metric_functions_;
  Shape output_shape_;
  std::size_t outputs_ = 0;
  compute::LossFunction function_ = compute::LossFunction::kSquaredError;
  bool takes_logits_of_softmax_ = false;
  bool metrics_need_outputs_ = false;
  compute::Buffer<float> values_;
  compute::Buffer<float> targets_;
  compute::Buffer<std::int32_t> labels_;
  std::vector<float> downloaded_;
};

}  // namespace dtrain::inline v0::model
