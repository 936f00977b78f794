#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "compute/optimizer.h"
#include "dtrain/row_table.h"
#include "dtrain/update_rules.h"
#include "ps/partition.h"
#include "ps/row_sum.h"
#include "ps/zero_memory.h"

namespace dtrain::inline v0::ps {

/// One server's rows of one table: values, optimizer slots, and the sum of a step's row gradients,
/// with the arithmetic on them. Rows are numbered as in the whole table and lie in the slice: the
/// caller has checked them. Thread-compatible.
///
/// Values and slots are flat arenas, as large as the slice, that take memory only where a row has
/// been written. First values are drawn when a row is first written; until then reading draws them
/// anew, which gives the same bits. The sum takes memory for the rows that a step names.
class RowShard {
 public:
  /// Throws std::bad_alloc.
  /// Clips gradients by value only: norms are over variables.
  RowShard(RowTable table, Range slice, Optimizer optimizer, const Clipping& clipping = {});

  const RowTable& table() const { return table_; }
  Range slice() const { return slice_; }
  std::size_t width() const { return width_; }
  bool holds(std::uint64_t row) const { return row >= slice_.begin && row < slice_.end(); }

  /// Adds `weight` times the gradients to the rows' sums. The rows may come in any order; those of
  /// a push ascend.
  void accumulate(std::span<const std::uint64_t> rows, std::span<const float> gradients,
                  float weight);
  /// Update number `step` with the sums times `scale`, and a new sum: of the rows that have one,
  /// and of all others too (with gradients of 0) when the table's updates are dense.
  void apply_sum(std::int64_t step, float scale);
  /// Forgets the sum of an update that will never be whole.
  void drop_sum();
  /// Rows that the sum has gradients for.
  std::size_t rows_in_sum() const { return sum_.size(); }

  /// Instead of the optimizer's own, from the next update on.
  void set_learning_rate(float rate) { compute::set_learning_rate(optimizer_, rate); }

  /// The values of consecutive rows. Writing what a row holds already takes no memory for it.
  void read(Range rows, std::span<float> values) const;
  /// The values of any rows.
  void gather(std::span<const std::uint64_t> rows, std::span<float> values) const;
  void write(Range rows, std::span<const float> values);

  /// The optimizer's slots of consecutive rows, for checkpoints; slot counts from 0.
  int slots() const { return static_cast<int>(slot_table_.size()); }
  void read_slot(int slot, Range rows, std::span<float> values) const;
  void write_slot(int slot, Range rows, std::span<const float> values);
  /// Whether the row has been written: rows that have not hold first values and empty slots, and
  /// need not be saved.
  bool written(std::uint64_t row) const;

 private:
  std::size_t offset(std::uint64_t row) const { return (row - slice_.begin) * width_; }
  void draw(Range rows, std::span<float> values) const;
  /// The row has not been written, and would hold this anyway. Slot -1 stands for the values.
  bool holds_already(std::uint64_t row, int slot, std::span<const float> values) const;
  /// Gives the row its first values, unless it has been written.
  void touch(std::uint64_t row);
  void apply(Range rows, std::span<const float> gradients, std::int64_t step, float scale);
  void apply_to_all(std::int64_t step, float scale);
  void apply_to_named(std::int64_t step, float scale);
  void apply_block(std::span<const RowSum::Entry> rows, std::int64_t step, float scale);
  std::span<const float> gradients_of(std::span<const RowSum::Entry> rows);
  void prefetch(const ZeroMemory& memory, std::uint64_t row) const;

  const RowTable table_;
  const Shape shape_;
  const Range slice_;
  const std::size_t width_;
  Optimizer optimizer_;
  const compute::Slots slot_table_;
  const float gradient_limit_;
  ZeroMemory values_;
  std::array<ZeroMemory, compute::kOptimizerSlotsMax> slots_;
  ZeroMemory written_;  ///< A bit per row.
  RowSum sum_;
  /// Rows that lie anywhere, one after the other: for the optimizer. Values, slots, gradients.
  std::array<std::vector<float>, compute::kOptimizerSlotsMax + 2> gathered_;
};

}  // namespace dtrain::inline v0::ps
