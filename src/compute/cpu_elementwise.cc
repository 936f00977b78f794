#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "compute/cpu_operations.h"

namespace dtrain::inline v0::compute {
namespace {

/// Steps through `out_shape` row by row (all dimensions but the last): work(place in out, place in
/// in). In `in` a dimension of size 1 stands still.
template <typename Work>
void for_each_row(std::span<const std::size_t> in_shape, std::span<const std::size_t> out_shape,
                  const Work& work) {
  const std::size_t rank = out_shape.size();
  assert(in_shape.size() == rank && rank > 0 && rank <= kBroadcastRankMax);
  std::array<std::size_t, kBroadcastRankMax> step{};
  std::size_t in_count = 1, rows = 1;
  for (std::size_t i = rank; i-- > 0;) {
    assert(in_shape[i] == 1 || in_shape[i] == out_shape[i]);
    step[i] = in_shape[i] == 1 ? 0 : in_count;
    in_count *= in_shape[i];
    if (i + 1 < rank) rows *= out_shape[i];
  }
  std::array<std::size_t, kBroadcastRankMax> index{};
  std::size_t in = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    work(row * out_shape[rank - 1], in);
    for (std::size_t i = rank - 1; i-- > 0;) {
      in += step[i];
      if (++index[i] < out_shape[i]) break;
      in -= step[i] * out_shape[i];
      index[i] = 0;
    }
  }
}

[[maybe_unused]] std::size_t count_of(std::span<const std::size_t> shape) {
  std::size_t count = 1;
  for (const std::size_t size : shape) count *= size;
  return count;
}

/// Products of an example's matrices take the product kernel; those of vectors have their own.
bool is_vectors(const DotShape& shape) { return shape.left_rows == 1 && shape.right_rows == 1; }

template <typename TaskOf>
void products(CpuRunner& runner, const DotShape& shape, const TaskOf& task_of) {
  const std::size_t elements = shape.out_count() * shape.depth / 8;
  runner.split(elements, shape.examples, 1, [&](Range examples, int thread) {
    for (std::size_t example = examples.begin; example < examples.end; ++example) {
      MatmulTask task = task_of(example);
      task.workspace = runner.matmul_workspace(thread);
      runner.kernels.matmul(task);
    }
  });
}

}  // namespace

void cpu_combine(CpuRunner& runner, const CombinePass& pass) {
  assert(!pass.inputs.empty());
  const auto combine =
      pass.function == CombineFunction::kAdd ? runner.kernels.add : runner.kernels.multiply;
  runner.split_elements(pass.out.size(), [&](Range range) {
    const float* left = pass.inputs[0].data() + range.begin;
    float* out = pass.out.data() + range.begin;
    assert(pass.inputs[0].size() == pass.out.size());
    if (pass.inputs.size() == 1 && left != out) std::copy_n(left, range.count(), out);
    for (std::size_t i = 1; i < pass.inputs.size(); ++i) {
      assert(pass.inputs[i].size() == pass.out.size());
      combine(range.count(), left, pass.inputs[i].data() + range.begin, out);
      left = out;
    }
  });
}

void cpu_copy_rows(CpuRunner& runner, const CopyRowsPass& pass) {
  assert(pass.rows <= 1 || (pass.from_stride >= pass.columns && pass.to_stride >= pass.columns));
  runner.split(pass.rows * pass.columns, pass.rows, 1, [&](Range rows, int /*thread*/) {
    for (std::size_t row = rows.begin; row < rows.end; ++row) {
      std::copy_n(pass.from + row * pass.from_stride, pass.columns, pass.to + row * pass.to_stride);
    }
  });
}

void cpu_broadcast(CpuRunner& /*runner*/, const BroadcastPass& pass) {
  assert(pass.in.size() == count_of(pass.in_shape));
  assert(pass.out.size() == count_of(pass.out_shape));
  if (pass.out.empty()) return;
  const std::size_t columns = pass.out_shape.back();
  const bool repeats = pass.in_shape.back() < columns;
  for_each_row(pass.in_shape, pass.out_shape, [&](std::size_t out, std::size_t in) {
    if (repeats) {
      std::fill_n(pass.out.data() + out, columns, pass.in[in]);
    } else {
      std::copy_n(pass.in.data() + in, columns, pass.out.data() + out);
    }
  });
}

void cpu_broadcast_backward(CpuRunner& runner, const BroadcastBackwardPass& pass) {
  assert(pass.in_gradient.size() == count_of(pass.in_shape));
  assert(pass.out_gradient.size() == count_of(pass.out_shape));
  std::fill(pass.in_gradient.begin(), pass.in_gradient.end(), 0.0F);
  if (pass.out_gradient.empty()) return;
  const std::size_t columns = pass.out_shape.back();
  const bool repeats = pass.in_shape.back() < columns;
  for_each_row(pass.in_shape, pass.out_shape, [&](std::size_t out, std::size_t in) {
    const float* gradient = pass.out_gradient.data() + out;
    if (repeats) {
      float sum = 0.0F;
      for (std::size_t i = 0; i < columns; ++i) sum += gradient[i];
      pass.in_gradient[in] += sum;
    } else {
      runner.kernels.accumulate(columns, pass.in_gradient.data() + in, gradient, 1.0F);
    }
  });
}

void cpu_dot(CpuRunner& runner, const DotPass& pass) {
  const DotShape& shape = pass.shape;
  const auto left = pass.left, right = pass.right;
  const auto out = pass.out;
  assert(left.size() == shape.left_count() && right.size() == shape.right_count());
  assert(out.size() == shape.out_count());
  if (is_vectors(shape)) {
    runner.split(left.size(), shape.examples, 1, [&](Range examples, int /*thread*/) {
      const std::size_t first = examples.begin * shape.depth;
      runner.kernels.row_dots(examples.count(), shape.depth, left.data() + first,
                              right.data() + first, out.data() + examples.begin);
    });
    return;
  }
  products(runner, shape, [&](std::size_t example) {
    return MatmulTask{.transpose_b = true,
                      .rows = shape.left_rows,
                      .columns = shape.right_rows,
                      .depth = shape.depth,
                      .a = left.data() + example * shape.left_rows * shape.depth,
                      .stride_a = shape.depth,
                      .b = right.data() + example * shape.right_rows * shape.depth,
                      .stride_b = shape.depth,
                      .out = out.data() + example * shape.left_rows * shape.right_rows,
                      .stride_out = shape.right_rows};
  });
}

void cpu_dot_backward(CpuRunner& runner, const DotBackwardPass& pass) {
  const DotShape& shape = pass.shape;
  const auto left = pass.left, right = pass.right, out_gradient = pass.out_gradient;
  assert(left.size() == shape.left_count() && right.size() == shape.right_count());
  assert(out_gradient.size() == shape.out_count());
  assert(pass.left_gradient.empty() || pass.left_gradient.size() == left.size());
  assert(pass.right_gradient.empty() || pass.right_gradient.size() == right.size());
  // The gradient for one side is that of the result times the other side.
  const auto gradient_of = [&](bool of_left, std::span<const float> other,
                               std::span<float> gradient) {
    if (gradient.empty()) return;
    if (is_vectors(shape)) {
      runner.split(gradient.size(), shape.examples, 1, [&](Range examples, int /*thread*/) {
        const std::size_t first = examples.begin * shape.depth;
        runner.kernels.scale_rows(examples.count(), shape.depth,
                                  out_gradient.data() + examples.begin, other.data() + first,
                                  gradient.data() + first);
      });
      return;
    }
    const std::size_t rows = of_left ? shape.left_rows : shape.right_rows;
    const std::size_t others = of_left ? shape.right_rows : shape.left_rows;
    products(runner, shape, [&](std::size_t example) {
      return MatmulTask{.transpose_a = !of_left,
                        .rows = rows,
                        .columns = shape.depth,
                        .depth = others,
                        .a = out_gradient.data() + example * shape.left_rows * shape.right_rows,
                        .stride_a = shape.right_rows,
                        .b = other.data() + example * others * shape.depth,
                        .stride_b = shape.depth,
                        .out = gradient.data() + example * rows * shape.depth,
                        .stride_out = shape.depth};
    });
  };
  gradient_of(true, right, pass.left_gradient);
  gradient_of(false, left, pass.right_gradient);
}

void cpu_gather_bags(CpuRunner& runner, const GatherBagsPass& pass) {
  const std::size_t width = pass.width;
  const auto ids = pass.ids;
  const Matrix& out = pass.out;
  assert(width > 0 && ids.size() == out.rows * width && out.columns == pass.table.columns);
  assert(std::all_of(ids.begin(), ids.end(), [rows = pass.table.rows](std::int64_t id) {
    return static_cast<std::size_t>(id) < rows;
  }));
  runner.split(ids.size() * out.columns, out.rows, 1, [&](Range bags, int /*thread*/) {
    runner.kernels.gather_bags({.bags = bags.count(),
                                .width = width,
                                .columns = out.columns,
                                .ids = ids.data() + bags.begin * width,
                                .factor = pass.factor,
                                .in = pass.table.data,
                                .out = out.data + bags.begin * out.columns});
  });
}

void cpu_scatter_bags(CpuRunner& runner, const ScatterBagsPass& pass) {
  const auto& [in, ids, width, factor, table] = pass;
  assert(width > 0 && ids.size() == in.rows * width && in.columns == table.columns);
  assert(std::all_of(ids.begin(), ids.end(), [rows = table.rows](std::int64_t id) {
    return static_cast<std::size_t>(id) < rows;
  }));
  // One thread: the order of additions to a row is part of the result.
  runner.kernels.scatter_bags({.bags = in.rows,
                               .width = width,
                               .columns = in.columns,
                               .ids = ids.data(),
                               .factor = factor,
                               .in = in.data,
                               .out = table.data});
}

double cpu_penalty(CpuRunner& runner, const Penalty& penalty, std::span<const float> values) {
  double absolutes = 0.0, squares = 0.0;
  runner.kernels.penalty_sums(values.size(), values.data(), &absolutes, &squares);
  // What a factor of 0 leaves out may be infinite.
  const double l1 = penalty.l1 != 0.0F ? static_cast<double>(penalty.l1) * absolutes : 0.0;
  return l1 + (penalty.l2 != 0.0F ? static_cast<double>(penalty.l2) * squares : 0.0);
}

void cpu_penalty_gradient(CpuRunner& runner, const Penalty& penalty, std::span<const float> values,
                          std::span<float> gradients) {
  assert(values.size() == gradients.size());
  runner.split_elements(values.size(), [&](Range range) {
    runner.kernels.penalty_gradient(range.count(), penalty.l1, 2.0F * penalty.l2,
                                    values.data() + range.begin, gradients.data() + range.begin);
  });
}

}  // namespace dtrain::inline v0::compute
