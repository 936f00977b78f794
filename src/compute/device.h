#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "compute/kernels.h"
#include "compute/optimizer.h"
#include "compute/square_sum.h"
#include "dtrain/activation.h"
#include "dtrain/metrics.h"

namespace dtrain::inline v0::compute {

/// Row-major elements in a device's memory, one row after the other. Not an owner.
struct Matrix {
  float* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;

  std::size_t count() const { return rows * columns; }
};

struct ConstMatrix {
  const float* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t stride = 0;  ///< Elements from one row to the next.

  ConstMatrix() = default;
  ConstMatrix(const float* elements, std::size_t row_count, std::size_t column_count)
      : ConstMatrix(elements, row_count, column_count, column_count) {}
  /// Columns of a wider matrix, for product() alone.
  ConstMatrix(const float* elements, std::size_t row_count, std::size_t column_count,
              std::size_t row_stride)
      : data(elements), rows(row_count), columns(column_count), stride(row_stride) {}
  ConstMatrix(Matrix matrix)  // NOLINT(google-explicit-constructor)
      : ConstMatrix(matrix.data, matrix.rows, matrix.columns) {}

  std::size_t count() const { return rows * columns; }
};

/// out = activation(op(a) · op(b) + bias), op being the transpose where asked.
struct Product {
  ConstMatrix a;  ///< As it is stored.
  ConstMatrix b;  ///< As it is stored.
  bool transpose_a = false;
  bool transpose_b = false;
  std::span<const float> bias = {};             ///< One per column of out; empty for none.
  Activation activation = Activation::kLinear;  ///< Any but softmax.
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

/// Losses per example, and the gradient of `scale` times their sum.
struct LossPass {
  LossFunction function = LossFunction::kSquaredError;
  ConstMatrix outputs;
  std::span<const std::int32_t> labels;  ///< One class below outputs.columns per row (sparse).
  ConstMatrix targets;                   ///< As large as `outputs` (not sparse).
  float scale = 1.0F;
  Matrix gradient;          ///< As large as `outputs`, or without data: not wanted.
  std::span<float> losses;  ///< One per row.
};

enum class MetricFunction : std::uint8_t {
  kBinaryAccuracy,
  kSparseAccuracy,
  kCategoricalAccuracy,
  kSquaredError,
  kAbsoluteError,
};

/// A metric's value for each example.
struct MetricPass {
  MetricFunction function = MetricFunction::kSquaredError;
  ConstMatrix outputs;
  std::span<const std::int32_t> labels;  ///< For kSparseAccuracy.
  ConstMatrix targets;                   ///< For the others.
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
  /// Softmax is over columns. `out` may be `in`.
  virtual void activate(Activation activation, ConstMatrix in, Matrix out) = 0;
  /// in_gradient from out = activate(in) and out_gradient; the gradients may be the same memory.
  virtual void activate_backward(Activation activation, ConstMatrix out, ConstMatrix out_gradient,
                                 Matrix in_gradient) = 0;
  /// The same call on the gradients is its backward pass.
  virtual void dropout(const DropoutPass& pass) = 0;
  virtual void loss(const LossPass& pass) = 0;
  virtual void metric(const MetricPass& pass) = 0;

  /// Row i of out = row rows[i] of table. `rows` is in device memory and below table.rows.
  virtual void gather_rows(ConstMatrix table, std::span<const std::int64_t> rows, Matrix out) = 0;
  /// Row r of table = the sum of the rows i of in with rows[i] == r, in the order of i; 0 where
  /// there is none.
  virtual void sum_rows(ConstMatrix in, std::span<const std::int64_t> rows, Matrix table) = 0;

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
