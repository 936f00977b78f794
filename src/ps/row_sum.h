#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace dtrain::inline v0::ps {

/// The sum of a step's row gradients, in memory for the rows that it has; kept for the next step.
/// Fastest for rows that come in ascending order, as those of one push do. Thread-compatible.
class RowSum {
 public:
  explicit RowSum(std::size_t width) : width_(width) {}

  /// Adds `weight` times each row's gradient. Rows may come in any order, and more than once.
  void add(std::span<const std::uint64_t> rows, std::span<const float> gradients, float weight);
  void clear();

  std::size_t size() const { return entries_.size(); }
  struct Entry {
    std::uint64_t row = 0;
    std::uint64_t place = 0;  ///< Of the row's sum among all.
  };
  /// Ascending by row; until the next change.
  std::span<const Entry> sorted();
  const float* at(std::uint64_t place) const { return sums_.data() + place * width_; }

 private:
  /// Lets the rows that came last take their places among those before.
  void merge();
  bool known(std::uint64_t row);

  const std::size_t width_;
  /// The first `merged_` ascend, and so do those behind them, which are other rows.
  std::vector<Entry> entries_;
  std::size_t merged_ = 0;
  std::size_t cursor_ = 0;  ///< Among the first ones: where the last row was looked for.
  std::uint64_t last_row_ = 0;
  std::vector<float> sums_;  ///< Of the entries, and what is left of larger steps.
};

}  // namespace dtrain::inline v0::ps
