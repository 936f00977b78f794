#include "compute/cpu_device.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <new>

#include "base/strings.h"
#include "compute/cpu_metrics.h"
#include "compute/dispatch.h"
#include "compute/thread_pool.h"
#include "dtrain/error.h"
#include "tensor/arena.h"

namespace dtrain::inline v0::compute {
namespace {

constexpr int kThreadsMax = 1024;
// Waking a thread costs some microseconds: what takes less is not split. In multiplications of a
// product, and in elements of everything else.
constexpr std::size_t kSplitProductMin = std::size_t{1} << 19;
constexpr std::size_t kSplitElementsMin = std::size_t{1} << 15;
// Boundaries between threads lie at whole cache lines and whole blocks of the product kernel.
constexpr std::size_t kSplitMultiple = 48;

struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t count() const { return end - begin; }
};

Range part_of(std::size_t count, std::size_t multiple, int part, int parts) {
  const std::size_t units = (count + multiple - 1) / multiple;
  const auto at = [&](int index) {
    return std::min(count, units * static_cast<std::size_t>(index) /
                               static_cast<std::size_t>(parts) * multiple);
  };
  return {at(part), at(part + 1)};
}

class CpuDevice final : public Device {
 public:
  CpuDevice(const KernelTable& kernels, int threads) : kernels_(kernels), pool_(threads) {
    for (int thread = 0; thread < threads; ++thread) {
      workspaces_.emplace_back(kernels.matmul_workspace_count);
    }
  }

  std::string description() const override {
    return base::str_cat("cpu (", kernels_.name, ", ", pool_.size(),
                         pool_.size() == 1 ? " thread)" : " threads)");
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
    if (small || pool_.size() == 1) {
      kernels_.matmul(with_workspace(whole, 0));
      return;
    }
    // Along the longer side of the result, so that threads share the smaller operand.
    const bool by_rows = whole.rows > whole.columns;
    pool_.run([&](int part) {
      const Range range =
          part_of(by_rows ? whole.rows : whole.columns, kSplitMultiple, part, pool_.size());
      if (range.count() == 0) return;
      const MatmulTask slice = by_rows ? rows_of(whole, range) : columns_of(whole, range);
      kernels_.matmul(with_workspace(slice, part));
    });
  }

  void column_sums(ConstMatrix in, std::span<float> out) override {
    assert(out.size() == in.columns);
    split(in.count(), in.columns, kSplitMultiple, [&](Range range) {
      kernels_.column_sums(in.rows, range.count(), in.columns, in.data + range.begin,
                           out.data() + range.begin);
    });
  }

  void activate(Activation activation, ConstMatrix in, Matrix out) override {
    assert(in.count() == out.count());
    if (activation == Activation::kSoftmax) {
      split(in.count(), in.rows, 1, [&](Range rows) {
        const std::size_t first = rows.begin * in.columns;
        kernels_.softmax(rows.count(), in.columns, in.data + first, out.data + first);
      });
      return;
    }
    split(in.count(), in.count(), kSplitMultiple, [&](Range range) {
      kernels_.activate(activation, range.count(), in.data + range.begin, out.data + range.begin);
    });
  }

  void activate_backward(Activation activation, ConstMatrix out, ConstMatrix out_gradient,
                         Matrix in_gradient) override {
    assert(out.count() == out_gradient.count() && out.count() == in_gradient.count());
    if (activation == Activation::kSoftmax) {
      split(out.count(), out.rows, 1, [&](Range rows) {
        const std::size_t first = rows.begin * out.columns;
        kernels_.softmax_backward(rows.count(), out.columns, out.data + first,
                                  out_gradient.data + first, in_gradient.data + first);
      });
      return;
    }
    split(out.count(), out.count(), kSplitMultiple, [&](Range range) {
      kernels_.activate_backward(activation, range.count(), out.data + range.begin,
                                 out_gradient.data + range.begin, in_gradient.data + range.begin);
    });
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
    const std::size_t columns = pass.outputs.columns;
    split(pass.outputs.count(), pass.outputs.rows, 1, [&](Range rows) {
      const std::size_t first = rows.begin * columns;
      const auto from = [first](auto* data) { return data == nullptr ? nullptr : data + first; };
      kernels_.loss({.function = pass.function,
                     .rows = rows.count(),
                     .columns = columns,
                     .outputs = pass.outputs.data + first,
                     .labels = pass.labels.empty() ? nullptr : pass.labels.data() + rows.begin,
                     .targets = from(pass.targets.data),
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
    split(update.values.size(), update.values.size(), kSplitMultiple, [&](Range range) {
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
    split(sum.size(), sum.size(), kSplitMultiple, [&](Range range) {
      kernels_.accumulate(range.count(), sum.data() + range.begin, gradients.data() + range.begin,
                          weight);
    });
  }

 private:
  /// Calls work with ranges that together are [0, count), cut at multiples of `multiple`.
  template <typename Work>
  void split(std::size_t elements, std::size_t count, std::size_t multiple, const Work& work) {
    if (pool_.size() == 1 || elements < kSplitElementsMin) {
      work(Range{0, count});
      return;
    }
    pool_.run([&](int part) {
      const Range range = part_of(count, multiple, part, pool_.size());
      if (range.count() > 0) work(range);
    });
  }

  static MatmulTask task_of(const Product& product) {
    const auto& [a, b, transpose_a, transpose_b, bias, activation, out] = product;
    assert((transpose_a ? a.columns : a.rows) == out.rows);
    assert((transpose_b ? b.rows : b.columns) == out.columns);
    assert((transpose_a ? a.rows : a.columns) == (transpose_b ? b.columns : b.rows));
    assert(bias.empty() || bias.size() == out.columns);
    assert(activation != Activation::kSoftmax);
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
            .activation = activation};
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
    task.workspace = workspaces_[static_cast<std::size_t>(thread)].span().data();
    return task;
  }

  const KernelTable& kernels_;
  ThreadPool pool_;
  std::vector<tensor::Arena> workspaces_;  ///< One per thread.
  std::vector<std::uint8_t> begun_;        ///< sum_rows: which rows have a sum.
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
