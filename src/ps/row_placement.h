#pragma once

#include <cstdint>

#include "ps/partition.h"

namespace dtrain::inline v0::ps {

/// Which row of a table a key stands for, and which server holds the row: the one place that knows.
/// Keys are row numbers, and servers hold consecutive ranges of them, equally large to one row.
/// The same on every process. Immutable.
class RowPlacement {
 public:
  RowPlacement(std::uint64_t rows, int servers)
      : rows_(rows), servers_(static_cast<std::uint64_t>(servers)) {}

  bool has(std::uint64_t key) const { return key < rows_; }
  std::uint64_t row_of(std::uint64_t key) const { return key; }
  /// The rows that a server holds; none when there are more servers than rows.
  Range slice(int server) const {
    const auto index = static_cast<std::uint64_t>(server);
    return {cut(index), cut(index + 1) - cut(index)};
  }

 private:
  /// rows * i / servers without overflow.
  std::uint64_t cut(std::uint64_t i) const {
    return rows_ / servers_ * i + rows_ % servers_ * i / servers_;
  }

  std::uint64_t rows_;
  std::uint64_t servers_;
};

}  // namespace dtrain::inline v0::ps
