#include <algorithm>
#include <cassert>
#include <cmath>

#include "compute/cpu_operations.h"

namespace dtrain::inline v0::compute {
namespace {

// Sums over rows are made in parts that depend on the rows alone, so that their bits do not depend
// on the threads that share the parts.
constexpr std::size_t kPartRows = 256;
constexpr std::size_t kPartsMax = 16;

struct ColumnSums {
  const double* first;
  const double* second;
};

/// The task's sums, in memory of the runner until the next ones. Fills in `sums` and `second`.
ColumnSums column_terms(CpuRunner& runner, const ColumnTermsTask& whole) {
  const bool of_rows = whole.term == ColumnTerm::kGradientOfRows;
  const std::size_t columns = whole.columns;
  const auto parts =
      static_cast<int>(std::clamp<std::size_t>(whole.rows / kPartRows, 1, kPartsMax));
  double* sums = runner.shared_sums(2 * columns * static_cast<std::size_t>(parts));
  runner.split(whole.rows * columns, static_cast<std::size_t>(parts), 1,
               [&](Range range, int /*thread*/) {
                 for (std::size_t part = range.begin; part < range.end; ++part) {
                   const Range rows = part_of(whole.rows, 1, static_cast<int>(part), parts);
                   ColumnTermsTask task = whole;
                   task.rows = rows.count();
                   if (task.in != nullptr) task.in += rows.begin * columns;
                   if (task.gradient != nullptr) task.gradient += rows.begin * columns;
                   if (of_rows) {
                     task.mean += rows.begin;
                     task.factor += rows.begin;
                   }
                   task.sums = sums + 2 * columns * part;
                   task.second = task.sums + columns;
                   runner.kernels.column_terms(task);
                 }
               });
  const bool has_second = of_rows || whole.term == ColumnTerm::kGradient;
  const std::size_t used = has_second ? 2 * columns : columns;
  for (std::size_t part = 1; part < static_cast<std::size_t>(parts); ++part) {
    for (std::size_t i = 0; i < used; ++i) sums[i] += sums[2 * columns * part + i];
  }
  return {sums, sums + columns};
}

/// means[i] = origin[i] (0 without one) + sums[i] / rows
void means_of(const double* sums, const float* origin, std::size_t rows, std::span<float> means) {
  for (std::size_t i = 0; i < means.size(); ++i) {
    const double first = origin != nullptr ? static_cast<double>(origin[i]) : 0.0;
    means[i] = static_cast<float>(first + sums[i] / static_cast<double>(rows));
  }
}

void write(const double* sums, std::span<float> to) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<float>(sums[i]);
}

float or_else(std::span<const float> values, std::size_t i, float otherwise) {
  return values.empty() ? otherwise : values[i];
}

[[maybe_unused]] bool fits(std::span<const float> values, std::size_t count) {
  return values.empty() || values.size() == count;
}

void normalize(CpuRunner& runner, const BatchInferencePass& pass) {
  const std::size_t columns = pass.in.columns;
  float* scale = runner.shared_scratch(2 * columns);
  float* shift = scale + columns;
  for (std::size_t i = 0; i < columns; ++i) {
    scale[i] = or_else(pass.gamma, i, 1.0F) / std::sqrt(pass.variance[i] + pass.epsilon);
    shift[i] = or_else(pass.beta, i, 0.0F);
  }
  runner.split(pass.in.count(), pass.in.rows, 1, [&](Range rows, int /*thread*/) {
    const std::size_t first = rows.begin * columns;
    runner.kernels.normalize_columns({.rows = rows.count(),
                                      .columns = columns,
                                      .in = pass.in.data + first,
                                      .mean = pass.mean.data(),
                                      .scale = scale,
                                      .shift = shift,
                                      .out = pass.out.data + first});
  });
}

}  // namespace

void cpu_batch_inference(CpuRunner& runner, const BatchInferencePass& pass) {
  [[maybe_unused]] const std::size_t columns = pass.in.columns;
  assert(pass.mean.size() == columns && pass.variance.size() == columns);
  assert(fits(pass.gamma, columns) && fits(pass.beta, columns));
  assert(pass.in.count() == pass.out.count());
  normalize(runner, pass);
}

void cpu_batch_normalization(CpuRunner& runner, const BatchNormalizationPass& pass) {
  const ConstMatrix& in = pass.in;
  assert(in.rows > 0 && in.count() == pass.out.count() && in.data != pass.out.data);
  assert(pass.mean.size() == in.columns && pass.variance.size() == in.columns);
  assert(fits(pass.gamma, in.columns) && fits(pass.beta, in.columns));
  // The mean is found from the first row, so that large values lose nothing when they are summed.
  ColumnTermsTask task{.term = ColumnTerm::kDifference,
                       .rows = in.rows,
                       .columns = in.columns,
                       .in = in.data,
                       .mean = in.data};
  means_of(column_terms(runner, task).first, in.data, in.rows, pass.mean);
  task.term = ColumnTerm::kSquare;
  task.mean = pass.mean.data();
  means_of(column_terms(runner, task).first, nullptr, in.rows, pass.variance);
  normalize(runner, {.in = in,
                     .gamma = pass.gamma,
                     .beta = pass.beta,
                     .epsilon = pass.epsilon,
                     .mean = pass.mean,
                     .variance = pass.variance,
                     .out = pass.out});
}

// With s = gamma / deviation, d = x - mean and n rows, a column's gradient for its input is
// s g, and where mean and variance come from it too
// s (g - sum(g) / n - d sum(g d) / (n deviation^2)).
void cpu_batch_normalization_backward(CpuRunner& runner,
                                      const BatchNormalizationBackwardPass& pass) {
  const ConstMatrix& in = pass.in;
  const std::size_t columns = in.columns;
  assert(in.count() == pass.out_gradient.count());
  assert(pass.mean.size() == columns && pass.variance.size() == columns);
  assert(fits(pass.gamma, columns) && fits(pass.gamma_gradient, columns));
  assert(fits(pass.beta_gradient, columns));
  const ColumnSums sums = column_terms(runner, {.term = ColumnTerm::kGradient,
                                                .rows = in.rows,
                                                .columns = columns,
                                                .in = in.data,
                                                .gradient = pass.out_gradient.data,
                                                .mean = pass.mean.data()});
  float* scale = runner.shared_scratch(3 * columns);
  float* slope = scale + columns;
  float* shift = slope + columns;
  for (std::size_t i = 0; i < columns; ++i) {
    const double squared =
        static_cast<double>(pass.variance[i]) + static_cast<double>(pass.epsilon);
    const double inverse = 1.0 / std::sqrt(squared);
    const double factor = static_cast<double>(or_else(pass.gamma, i, 1.0F)) * inverse;
    const double share = pass.batch_statistics ? -factor / static_cast<double>(in.rows) : 0.0;
    scale[i] = static_cast<float>(factor);
    slope[i] = static_cast<float>(share * sums.second[i] / squared);
    shift[i] = static_cast<float>(share * sums.first[i]);
    if (!pass.gamma_gradient.empty()) {
      pass.gamma_gradient[i] = static_cast<float>(sums.second[i] * inverse);
    }
  }
  write(sums.first, pass.beta_gradient);
  if (pass.in_gradient.data == nullptr) return;
  assert(pass.in_gradient.count() == in.count());
  runner.split(in.count(), in.rows, 1, [&](Range rows, int /*thread*/) {
    const std::size_t first = rows.begin * columns;
    runner.kernels.normalize_columns_backward({.rows = rows.count(),
                                               .columns = columns,
                                               .in = in.data + first,
                                               .gradient = pass.out_gradient.data + first,
                                               .mean = pass.mean.data(),
                                               .scale = scale,
                                               .slope = slope,
                                               .shift = shift,
                                               .out = pass.in_gradient.data + first});
  });
}

void cpu_layer_normalization(CpuRunner& runner, const LayerNormalizationPass& pass) {
  const ConstMatrix& in = pass.in;
  const std::size_t columns = in.columns;
  assert(in.count() == pass.out.count() && in.data != pass.out.data && columns > 0);
  assert(fits(pass.gamma, columns) && fits(pass.beta, columns));
  assert(fits(pass.mean, in.rows) && pass.mean.size() == pass.inverse_deviation.size());
  runner.split(in.count(), in.rows, 1, [&](Range rows, int /*thread*/) {
    const std::size_t first = rows.begin * columns;
    RowNormalizationTask task{.rows = rows.count(),
                              .columns = columns,
                              .in = in.data + first,
                              .gamma = pass.gamma.empty() ? nullptr : pass.gamma.data(),
                              .beta = pass.beta.empty() ? nullptr : pass.beta.data(),
                              .epsilon = pass.epsilon,
                              .out = pass.out.data + first};
    if (!pass.mean.empty()) {
      task.mean = pass.mean.data() + rows.begin;
      task.inverse_deviation = pass.inverse_deviation.data() + rows.begin;
    }
    runner.kernels.normalize_rows(task);
  });
}

void cpu_layer_normalization_backward(CpuRunner& runner,
                                      const LayerNormalizationBackwardPass& pass) {
  const ConstMatrix& in = pass.in;
  const std::size_t columns = in.columns;
  assert(in.count() == pass.out_gradient.count());
  assert(pass.mean.size() == in.rows && pass.inverse_deviation.size() == in.rows);
  assert(fits(pass.gamma, columns) && fits(pass.gamma_gradient, columns));
  assert(fits(pass.beta_gradient, columns));
  if (!pass.gamma_gradient.empty() || !pass.beta_gradient.empty()) {
    const ColumnSums sums = column_terms(runner, {.term = ColumnTerm::kGradientOfRows,
                                                  .rows = in.rows,
                                                  .columns = columns,
                                                  .in = in.data,
                                                  .gradient = pass.out_gradient.data,
                                                  .mean = pass.mean.data(),
                                                  .factor = pass.inverse_deviation.data()});
    write(sums.first, pass.beta_gradient);
    write(sums.second, pass.gamma_gradient);
  }
  if (pass.in_gradient.data == nullptr) return;
  assert(pass.in_gradient.count() == in.count());
  runner.split(in.count(), in.rows, 1, [&](Range rows, int /*thread*/) {
    const std::size_t first = rows.begin * columns;
    runner.kernels.normalize_rows_backward(
        {.rows = rows.count(),
         .columns = columns,
         .in = in.data + first,
         .gamma = pass.gamma.empty() ? nullptr : pass.gamma.data(),
         .mean = pass.mean.data() + rows.begin,
         .inverse_deviation = pass.inverse_deviation.data() + rows.begin,
         .out_gradient = pass.out_gradient.data + first,
         .in_gradient = pass.in_gradient.data + first});
  });
}

void cpu_unit_rows(CpuRunner& runner, const UnitRowsPass& pass) {
  assert(pass.in.count() == pass.out.count() && pass.in.data != pass.out.data);
  runner.split(pass.in.count(), pass.in.rows, 1, [&](Range rows, int /*thread*/) {
    const std::size_t first = rows.begin * pass.in.columns;
    runner.kernels.unit_rows(rows.count(), pass.in.columns, pass.in.data + first,
                             pass.out.data + first);
  });
}

void cpu_unit_rows_backward(CpuRunner& runner, const UnitRowsBackwardPass& pass) {
  assert(pass.in.count() == pass.out_gradient.count());
  assert(pass.in.count() == pass.in_gradient.count() && pass.in.data != pass.in_gradient.data);
  runner.split(pass.in.count(), pass.in.rows, 1, [&](Range rows, int /*thread*/) {
    const std::size_t first = rows.begin * pass.in.columns;
    runner.kernels.unit_rows_backward(rows.count(), pass.in.columns, pass.in.data + first,
                                      pass.out_gradient.data + first,
                                      pass.in_gradient.data + first);
  });
}

}  // namespace dtrain::inline v0::compute
