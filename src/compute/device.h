#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "compute/activation.h"
#include "compute/convolution.h"
#include "compute/elementwise.h"
#include "compute/kernels.h"
#include "compute/matrix.h"
#include "compute/normalization.h"
#include "compute/optimizer.h"
#include "compute/pooling.h"
#include "compute/square_sum.h"
#include "dtrain/metrics.h"

namespace dtrain::inline v0::compute {

/// out = activation(op(a) · op(b) + bias), op being the transpose where asked.
struct Product {
  ConstMatrix a;  ///< As it is stored.
  ConstMatrix b;  ///< As it is stored.
  bool transpose_a = false;
  bool transpose_b = false;
  std::span<const float> bias = {};             ///< One per column of out; empty for none.
  Activation activation = Activation::kLinear;  ///< None over rows; with its default constant.
  Matrix out;                                   ///< Overlaps none of the others.
};

/// Which numbers a dropout draws: element e of an example is decided by word e % 4 of the
/// Philox4x32-10 block (e / 4, step, example's low half, its high half) under `key`.
struct DropoutPass {
  float rate = 0.0F;  ///< In [0, 1).
  std::uint64_t key = 0;
  std::uint32_t step = 0;
  std::span<const std::uint64_t> example_indices;  ///< One per row, in device memory.
  ConstMatrix in;
  Matrix out;  ///< May be `in`.
};

/// Losses per example, times their weights, and the gradient of `scale` times their sum.
struct LossPass {
  LossFunction function = LossFunction::kSquaredError;
  ConstMatrix outputs;
  std::span<const std::int32_t> labels;  ///< One class below outputs.columns per row (sparse).
  ConstMatrix targets;                   ///< As large as `outputs` (not sparse).
  std::span<const float> weights = {};   ///< One per row; empty: all are 1.
  /// In [0, 1): dense targets of cross-entropies move so far towards 1 / columns, those of binary
  /// ones towards 1/2.
  float label_smoothing = 0.0F;
  float delta = 1.0F;  ///< Of kHuber, above 0.
  float scale = 1.0F;
  Matrix gradient;          ///< As large as `outputs`, or without data: not wanted.
  std::span<float> losses;  ///< One per row.
};

enum class MetricFunction : std::uint8_t {
  kBinaryAccuracy,
  kSparseAccuracy,
  kCategoricalAccuracy,
  kSparseTopK,
  kCategoricalTopK,
  kSquaredError,
  kAbsoluteError,
};

/// A metric's value for each example.
struct MetricPass {
  MetricFunction function = MetricFunction::kSquaredError;
  ConstMatrix outputs;
  std::span<const std::int32_t> labels;  ///< For kSparseAccuracy and kSparseTopK.
  ConstMatrix targets;                   ///< For the others.
  float threshold = 0.5F;                ///< For kBinaryAccuracy.
  std::size_t k = 1;                     ///< For kSparseTopK and kCategoricalTopK.
  std::span<float> values;               ///< One per row.
};

/// What computes: the CPU, or a GPU. All spans and matrices are in the device's own memory, which
/// the host may touch only where is_host_memory() says so.
///
/// Calls take effect in order and may return before the work is done; download() and synchronize()
/// wait for it. Memory given to a call must live until then. Sizes are the caller's promise
/// (assertions check them); what a user can get wrong is checked above. Confined to one thread at
/// a time. Equal calls on equal data give equal bits, run after run, on one device with the same
/// settings.
class Device {
 public:
  virtual ~Device() = default;

  /// `cpu (avx2, 2 threads)`, for logs.
  virtual std::string description() const = 0;
  /// Device memory is ordinary memory, and the host's memory is the device's.
  virtual bool is_host_memory() const = 0;

  /// Memory aligned to 64 bytes, zero at first. The device must outlive it. Throws
  /// resource_exhausted with the size.
  virtual std::shared_ptr<void> allocate(std::size_t bytes) = 0;
  virtual void upload(void* to, const void* from_host, std::size_t bytes) = 0;
  virtual void download(void* to_host, const void* from, std::size_t bytes) = 0;
  /// Returns when everything asked for is done. Throws what went wrong since the last time.
  virtual void synchronize() = 0;

  virtual void copy(std::span<const float> from, std::span<float> to) = 0;
  virtual void fill(std::span<float> to, float value) = 0;

  virtual void product(const Product& product) = 0;
  /// out[c] = sum of column c, rows added in order.
  virtual void column_sums(ConstMatrix in, std::span<float> out) = 0;
  virtual void activate(const ActivationPass& pass) = 0;
  virtual void activate_backward(const ActivationBackwardPass& pass) = 0;
  virtual void convolution(const ConvolutionPass& pass) = 0;
  virtual void convolution_backward(const ConvolutionBackwardPass& pass) = 0;
  virtual void pooling(const PoolingPass& pass) = 0;
  virtual void pooling_backward(const PoolingBackwardPass& pass) = 0;

  virtual void batch_normalization(const BatchNormalizationPass& pass) = 0;
  virtual void batch_inference(const BatchInferencePass& pass) = 0;
  virtual void batch_normalization_backward(const BatchNormalizationBackwardPass& pass) = 0;
  virtual void layer_normalization(const LayerNormalizationPass& pass) = 0;
  virtual void layer_normalization_backward(const LayerNormalizationBackwardPass& pass) = 0;
  virtual void unit_rows(const UnitRowsPass& pass) = 0;
  virtual void unit_rows_backward(const UnitRowsBackwardPass& pass) = 0;
  /// average = average * momentum + values * (1 - momentum)
  virtual void moving_average(std::span<float> average, std::span<const float> values,
                              float momentum) = 0;

  virtual void combine(const CombinePass& pass) = 0;
  virtual void copy_rows(const CopyRowsPass& pass) = 0;
  virtual void broadcast(const BroadcastPass& pass) = 0;
  virtual void broadcast_backward(const BroadcastBackwardPass& pass) = 0;
  virtual void dot(const DotPass& pass) = 0;
  virtual void dot_backward(const DotBackwardPass& pass) = 0;
  /// out = factor * in, which may be the same memory.
  virtual void scale(std::span<const float> in, float factor, std::span<float> out) = 0;
  /// The penalty of values in device memory. Waits for it.
  virtual double penalty(const Penalty& penalty, std::span<const float> values) = 0;
  /// gradients += 2 * l2 * values + l1 * sign(values)
  virtual void penalty_gradient(const Penalty& penalty, std::span<const float> values,
                                std::span<float> gradients) = 0;

  /// The same call on the gradients is its backward pass.
  virtual void dropout(const DropoutPass& pass) = 0;
  virtual void loss(const LossPass& pass) = 0;
  virtual void metric(const MetricPass& pass) = 0;

  /// Row i of out = row rows[i] of table. `rows` is in device memory and below table.rows.
  virtual void gather_rows(ConstMatrix table, std::span<const std::int64_t> rows, Matrix out) = 0;
  /// Row r of table = the sum of the rows i of in with rows[i] == r, in the order of i; 0 where
  /// there is none.
  virtual void sum_rows(ConstMatrix in, std::span<const std::int64_t> rows, Matrix table) = 0;

  virtual void gather_bags(const GatherBagsPass& pass) = 0;
  virtual void scatter_bags(const ScatterBagsPass& pass) = 0;

  /// As compute::apply and compute::accumulate, on device memory.
  virtual void optimizer_step(const Optimizer& optimizer, const OptimizerUpdate& update) = 0;
  virtual void accumulate(std::span<float> sum, std::span<const float> gradients, float weight) = 0;
  /// Adds the squares of `values`, which lie in device memory, to a sum in the host's.
  virtual void add_squares(std::span<const float> values, SquareSum& sum) = 0;
};

/// Elements in a device's memory that grow when asked and never shrink.
template <typename T>
class Buffer {
 public:
  /// At least `count` elements; their values are lost when it grows.
  std::span<T> reserve(Device& device, std::size_t count) {
    if (count > count_) {
      memory_ = device.allocate(count * sizeof(T));
      count_ = count;
    }
    return {static_cast<T*>(memory_.get()), count};
  }
  T* data() const { return static_cast<T*>(memory_.get()); }

 private:
  std::shared_ptr<void> memory_;
  std::size_t count_ = 0;
};

}  // namespace dtrain::inline v0::compute
