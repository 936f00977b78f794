#include "compute/cpu_device.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <new>

#include "base/strings.h"
#include "compute/cpu_convolution.h"
#include "compute/cpu_metrics.h"
#include "compute/cpu_operations.h"
#include "compute/cpu_runner.h"
#include "compute/dispatch.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::compute {
namespace {

constexpr int kThreadsMax = 1024;
// Waking a thread costs some microseconds: a product of fewer multiplications is not split.
constexpr std::size_t kSplitProductMin = std::size_t{1} << 19;

class CpuDevice final : public Device {
 public:
  CpuDevice(const KernelTable& kernels, int threads)
      : kernels_(kernels), runner_(kernels, threads) {}

  std::string description() const override {
    return base::str_cat("cpu (", kernels_.name, ", ", runner_.threads(),
                         runner_.threads() == 1 ? " thread)" : " threads)");
  }
  bool is_host_memory() const override { return true; }

  std::shared_ptr<void> allocate(std::size_t bytes) override {
    constexpr std::align_val_t kAlignment{tensor::kArenaAlignmentBytes};
    void* memory = ::operator new(std::max<std::size_t>(bytes, 1), kAlignment, std::nothrow);
    if (memory == nullptr) {
      throw Error(ErrorCode::kResourceExhausted,
                  base::str_cat("there is no memory for ", bytes, " bytes"),
                  "Use a smaller batch or model");
    }
    std::memset(memory, 0, bytes);
    return {memory, [](void* data) { ::operator delete(data, kAlignment); }};
  }
  void upload(void* to, const void* from_host, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(to, from_host, bytes);
  }
  void download(void* to_host, const void* from, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(to_host, from, bytes);
  }
  void synchronize() override {}

  void copy(std::span<const float> from, std::span<float> to) override {
    assert(from.size() == to.size());
    std::copy(from.begin(), from.end(), to.begin());
  }
  void fill(std::span<float> to, float value) override { std::fill(to.begin(), to.end(), value); }

  void product(const Product& product) override {
    const MatmulTask whole = task_of(product);
    const bool small = whole.rows * whole.columns * whole.depth < kSplitProductMin;
    if (small || runner_.threads() == 1) {
      kernels_.matmul(with_workspace(whole, 0));
      return;
    }
    // Along the longer side of the result, so that threads share the smaller operand.
    const bool by_rows = whole.rows > whole.columns;
    runner_.run([&](int part) {
      const Range range = part_of(by_rows ? whole.rows : whole.columns, CpuRunner::kSplitMultiple,
                                  part, runner_.threads());
      if (range.count() == 0) return;
      const MatmulTask slice = by_rows ? rows_of(whole, range) : columns_of(whole, range);
      kernels_.matmul(with_workspace(slice, part));
    });
  }

  void column_sums(ConstMatrix in, std::span<float> out) override {
    assert(out.size() == in.columns);
    split(in.count(), in.columns, CpuRunner::kSplitMultiple, [&](Range range) {
      kernels_.column_sums(in.rows, range.count(), in.columns, in.data + range.begin,
                           out.data() + range.begin);
    });
  }

  void activate(const ActivationPass& pass) override {
    const Activation activation = pass.activation;
    const ConstMatrix& in = pass.in;
    const Matrix& out = pass.out;
    assert(in.count() == out.count());
    if (activation_is_over_rows(activation)) {
      const bool log = activation == Activation::kLogSoftmax;
      split(in.count(), in.rows, 1, [&](Range rows) {
        const std::size_t first = rows.begin * in.columns;
        (log ? kernels_.log_softmax : kernels_.softmax)(rows.count(), in.columns, in.data + first,
                                                        out.data + first);
      });
      return;
    }
    assert(in.data != out.data || !activation_backward_needs_input(activation));
    const float c = pass.constant.value_or(activation_default_constant(activation));
    runner_.split_elements(in.count(), [&](Range range) {
      kernels_.activate(activation, c, range.count(), in.data + range.begin,
                        out.data + range.begin);
    });
  }

  void activate_backward(const ActivationBackwardPass& pass) override {
    const Activation activation = pass.activation;
    const ConstMatrix& in = pass.in;
    const ConstMatrix& out = pass.out;
    const ConstMatrix& out_gradient = pass.out_gradient;
    const Matrix& in_gradient = pass.in_gradient;
    const bool needs_input = activation_backward_needs_input(activation);
    assert((needs_input ? in : out).count() == out_gradient.count());
    assert(out_gradient.count() == in_gradient.count());
    if (activation_is_over_rows(activation)) {
      const bool log = activation == Activation::kLogSoftmax;
      split(out.count(), out.rows, 1, [&](Range rows) {
        const std::size_t first = rows.begin * out.columns;
        (log ? kernels_.log_softmax_backward : kernels_.softmax_backward)(
            rows.count(), out.columns, out.data + first, out_gradient.data + first,
            in_gradient.data + first);
      });
      return;
    }
    const float c = pass.constant.value_or(activation_default_constant(activation));
    runner_.split_elements(out_gradient.count(), [&](Range range) {
      kernels_.activate_backward(activation, c, range.count(),
                                 needs_input ? in.data + range.begin : nullptr,
                                 needs_input ? nullptr : out.data + range.begin,
                                 out_gradient.data + range.begin, in_gradient.data + range.begin);
    });
  }

  void convolution(const ConvolutionPass& pass) override { convolution_.forward(pass); }
  void convolution_backward(const ConvolutionBackwardPass& pass) override {
    convolution_.backward(pass);
  }

  void pooling(const PoolingPass& pass) override { cpu_pooling(runner_, pass); }
  void pooling_backward(const PoolingBackwardPass& pass) override {
    cpu_pooling_backward(runner_, pass);
  }
  void batch_normalization(const BatchNormalizationPass& pass) override {
    cpu_batch_normalization(runner_, pass);
  }
  void batch_inference(const BatchInferencePass& pass) override {
    cpu_batch_inference(runner_, pass);
  }
  void batch_normalization_backward(const BatchNormalizationBackwardPass& pass) override {
    cpu_batch_normalization_backward(runner_, pass);
  }
  void layer_normalization(const LayerNormalizationPass& pass) override {
    cpu_layer_normalization(runner_, pass);
  }
  void layer_normalization_backward(const LayerNormalizationBackwardPass& pass) override {
    cpu_layer_normalization_backward(runner_, pass);
  }
  void unit_rows(const UnitRowsPass& pass) override { cpu_unit_rows(runner_, pass); }
  void unit_rows_backward(const UnitRowsBackwardPass& pass) override {
    cpu_unit_rows_backward(runner_, pass);
  }
  void combine(const CombinePass& pass) override { cpu_combine(runner_, pass); }
  void copy_rows(const CopyRowsPass& pass) override { cpu_copy_rows(runner_, pass); }
  void broadcast(const BroadcastPass& pass) override { cpu_broadcast(runner_, pass); }
  void broadcast_backward(const BroadcastBackwardPass& pass) override {
    cpu_broadcast_backward(runner_, pass);
  }
  void dot(const DotPass& pass) override { cpu_dot(runner_, pass); }
  void dot_backward(const DotBackwardPass& pass) override { cpu_dot_backward(runner_, pass); }
  void gather_bags(const GatherBagsPass& pass) override { cpu_gather_bags(runner_, pass); }
  void scatter_bags(const ScatterBagsPass& pass) override { cpu_scatter_bags(runner_, pass); }
  void moving_average(std::span<float> average, std::span<const float> values,
                      float momentum) override {
    assert(average.size() == values.size());
    runner_.split_elements(average.size(), [&](Range range) {
      kernels_.blend(range.count(), momentum, 1.0F - momentum, values.data() + range.begin,
                     average.data() + range.begin);
    });
  }
  void scale(std::span<const float> in, float factor, std::span<float> out) override {
    assert(in.size() == out.size());
    runner_.split_elements(in.size(), [&](Range range) {
      kernels_.scale(range.count(), factor, in.data() + range.begin, out.data() + range.begin);
    });
  }
  double penalty(const Penalty& penalty, std::span<const float> values) override {
    return cpu_penalty(runner_, penalty, values);
  }
  void penalty_gradient(const Penalty& penalty, std::span<const float> values,
                        std::span<float> gradients) override {
    cpu_penalty_gradient(runner_, penalty, values, gradients);
  }

  void dropout(const DropoutPass& pass) override {
    assert(pass.example_indices.size() == pass.in.rows && pass.in.count() == pass.out.count());
    const double threshold = static_cast<double>(pass.rate) * 4294967296.0;
    split(4 * pass.in.count(), pass.in.rows, 1, [&](Range rows) {
      kernels_.dropout({.rows = rows.count(),
                        .columns = pass.in.columns,
                        .key = {static_cast<std::uint32_t>(pass.key),
                                static_cast<std::uint32_t>(pass.key >> 32)},
                        .step = pass.step,
                        .example_indices = pass.example_indices.data() + rows.begin,
                        .threshold = static_cast<std::uint32_t>(threshold),
                        .scale = 1.0F / (1.0F - pass.rate),
                        .in = pass.in.data + rows.begin * pass.in.columns,
                        .out = pass.out.data + rows.begin * pass.in.columns});
    });
  }

  void loss(const LossPass& pass) override {
    assert(pass.losses.size() == pass.outputs.rows);
    assert(pass.weights.empty() || pass.weights.size() == pass.outputs.rows);
    const std::size_t columns = pass.outputs.columns;
    const bool binary = pass.function == LossFunction::kBinaryCrossEntropy ||
                        pass.function == LossFunction::kBinaryCrossEntropyLogits;
    const float even = binary ? 0.5F : 1.0F / static_cast<float>(columns);
    split(pass.outputs.count(), pass.outputs.rows, 1, [&](Range rows) {
      const std::size_t first = rows.begin * columns;
      const auto from = [first](auto* data) { return data == nullptr ? nullptr : data + first; };
      kernels_.loss({.function = pass.function,
                     .rows = rows.count(),
                     .columns = columns,
                     .outputs = pass.outputs.data + first,
                     .labels = pass.labels.empty() ? nullptr : pass.labels.data() + rows.begin,
                     .targets = from(pass.targets.data),
                     .weights = pass.weights.empty() ? nullptr : pass.weights.data() + rows.begin,
                     .target_factor = 1.0F - pass.label_smoothing,
                     .target_shift = pass.label_smoothing * even,
                     .delta = pass.delta,
                     .scale = pass.scale,
                     .gradient = from(pass.gradient.data),
                     .losses = pass.losses.data() + rows.begin});
    });
  }

  void metric(const MetricPass& pass) override { cpu_metric(pass); }

  void gather_rows(ConstMatrix table, std::span<const std::int64_t> rows, Matrix out) override {
    assert(out.rows == rows.size() && out.columns == table.columns);
    split(out.count(), rows.size(), 1, [&](Range range) {
      for (std::size_t i = range.begin; i < range.end; ++i) {
        const auto row = static_cast<std::size_t>(rows[i]);
        assert(row < table.rows);
        std::copy_n(table.data + row * table.columns, table.columns, out.data + i * table.columns);
      }
    });
  }
  void sum_rows(ConstMatrix in, std::span<const std::int64_t> rows, Matrix table) override {
    assert(in.rows == rows.size() && in.columns == table.columns);
    // One thread: the order of additions to a row is part of the result. The first is stored, which
    // spares a pass that clears the rows.
    begun_.assign(table.rows, 0);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto row = static_cast<std::size_t>(rows[i]);
      assert(row < table.rows);
      const auto add = begun_[row] != 0 ? kernels_.accumulate : kernels_.begin_sum;
      add(table.columns, table.data + row * table.columns, in.data + i * in.columns, 1.0F);
      begun_[row] = 1;
    }
    for (auto row = begun_.begin(); row != begun_.end();) {
      const auto first = std::find(row, begun_.end(), 0);
      row = std::find(first, begun_.end(), 1);
      std::fill(table.data + static_cast<std::size_t>(first - begun_.begin()) * table.columns,
                table.data + static_cast<std::size_t>(row - begun_.begin()) * table.columns, 0.0F);
    }
  }

  void optimizer_step(const Optimizer& optimizer, const OptimizerUpdate& update) override {
    runner_.split_elements(update.values.size(), [&](Range range) {
      OptimizerUpdate slice = update;
      slice.values = update.values.subspan(range.begin, range.count());
      slice.updated = update.updated.subspan(range.begin, range.count());
      slice.gradients = update.gradients.subspan(range.begin, range.count());
      for (auto& slot : slice.slots) {
        if (!slot.empty()) slot = slot.subspan(range.begin, range.count());
      }
      apply_with(kernels_, optimizer, slice);
    });
  }
  void add_squares(std::span<const float> values, SquareSum& sum) override { sum.add(values); }
  void accumulate(std::span<float> sum, std::span<const float> gradients, float weight) override {
    assert(sum.size() == gradients.size());
    runner_.split_elements(sum.size(), [&](Range range) {
      kernels_.accumulate(range.count(), sum.data() + range.begin, gradients.data() + range.begin,
                          weight);
    });
  }

 private:
  template <typename Work>
  void split(std::size_t elements, std::size_t count, std::size_t multiple, const Work& work) {
    runner_.split(elements, count, multiple, [&](Range range, int /*thread*/) { work(range); });
  }

  static MatmulTask task_of(const Product& product) {
    const auto& [a, b, transpose_a, transpose_b, bias, activation, out] = product;
    assert((transpose_a ? a.columns : a.rows) == out.rows);
    assert((transpose_b ? b.rows : b.columns) == out.columns);
    assert((transpose_a ? a.rows : a.columns) == (transpose_b ? b.columns : b.rows));
    assert(bias.empty() || bias.size() == out.columns);
    assert(!activation_is_over_rows(activation));
    return {.transpose_a = transpose_a,
            .transpose_b = transpose_b,
            .rows = out.rows,
            .columns = out.columns,
            .depth = transpose_a ? a.rows : a.columns,
            .a = a.data,
            .stride_a = a.stride,
            .b = b.data,
            .stride_b = b.stride,
            .out = out.data,
            .stride_out = out.columns,
            .bias = bias.empty() ? nullptr : bias.data(),
            .activation = activation,
            .constant = activation_default_constant(activation)};
  }
  static MatmulTask rows_of(MatmulTask task, Range rows) {
    task.rows = rows.count();
    task.a += task.transpose_a ? rows.begin : rows.begin * task.stride_a;
    task.out += rows.begin * task.stride_out;
    return task;
  }
  static MatmulTask columns_of(MatmulTask task, Range columns) {
    task.columns = columns.count();
    task.b += task.transpose_b ? columns.begin * task.stride_b : columns.begin;
    task.out += columns.begin;
    if (task.bias != nullptr) task.bias += columns.begin;
    return task;
  }
  MatmulTask with_workspace(MatmulTask task, int thread) {
    task.workspace = runner_.matmul_workspace(thread);
    return task;
  }

  const KernelTable& kernels_;
  CpuRunner runner_;
  CpuConvolution convolution_{runner_};
  std::vector<std::uint8_t> begun_;  ///< sum_rows: which rows have a sum.
};

}  // namespace

std::unique_ptr<Device> cpu_device(const CpuOptions& options) {
  if (options.threads < 1 || options.threads > kThreadsMax) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("the number of compute threads is ", options.threads),
                base::str_cat("Give 1 to ", kThreadsMax));
  }
  const KernelTable& kernels =
      options.instruction_set ? kernels_for(*options.instruction_set) : best_kernels();
  return std::make_unique<CpuDevice>(kernels, options.threads);
}

}  // namespace dtrain::inline v0::compute
