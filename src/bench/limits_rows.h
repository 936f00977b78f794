#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/arena.h"

namespace dtrain::inline v0::bench {

/// What one thread does with single rows of a large table in its own memory. Confined to one
/// thread.
class RowsLimit {
 public:
  /// A table of rows × width floats, all pages touched; it takes a while and that memory.
  RowsLimit(std::size_t rows, std::size_t width);

  /// Seconds of copying the rows `keys` (ascending, below `rows`) to `out`, one after the other.
  double gather(std::span<const std::uint64_t> keys, std::span<float> out) const;
  /// Seconds of adding the rows of `in` to those of the table.
  double scatter_add(std::span<const std::uint64_t> keys, std::span<const float> in);

  std::size_t rows() const { return rows_; }
  std::size_t width() const { return width_; }
  /// What the table holds, e.g. to check a gather.
  std::span<const float> values() const { return table_.span(); }

 private:
  void check(std::span<const std::uint64_t> keys, std::size_t count) const;

  const std::size_t rows_;
  const std::size_t width_;
  tensor::Arena table_;
};

}  // namespace dtrain::inline v0::bench
