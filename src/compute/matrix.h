#pragma once

#include <cstddef>

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

}  // namespace dtrain::inline v0::compute
