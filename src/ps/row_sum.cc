#include "ps/row_sum.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "compute/optimizer.h"

namespace dtrain::inline v0::ps {

void RowSum::add(std::span<const std::uint64_t> rows, std::span<const float> gradients,
                 float weight) {
  assert(gradients.size() == rows.size() * width_);
  for (std::size_t i = 0; i < rows.size();) {
    if (entries_.size() > merged_ && rows[i] <= entries_.back().row) merge();
    if (known(rows[i])) {
      const auto sum = std::span(sums_).subspan(entries_[cursor_].place * width_, width_);
      compute::accumulate(sum, gradients.subspan(i * width_, width_), weight);
      ++i;
      continue;
    }
    // New rows in a run are added in one go.
    const std::size_t first = i;
    const std::size_t place = entries_.size();
    do {
      entries_.push_back({rows[i], entries_.size()});
      ++i;
    } while (i < rows.size() && rows[i] > rows[i - 1] && !known(rows[i]));
    // Grows only: what was there before need not be cleared.
    sums_.resize(std::max(sums_.size(), entries_.size() * width_));
    compute::begin_sum(std::span(sums_).subspan(place * width_, (i - first) * width_),
                       gradients.subspan(first * width_, (i - first) * width_), weight);
  }
}

bool RowSum::known(std::uint64_t row) {
  if (row < last_row_) cursor_ = 0;
  last_row_ = row;
  while (cursor_ < merged_ && entries_[cursor_].row < row) ++cursor_;
  return cursor_ < merged_ && entries_[cursor_].row == row;
}

void RowSum::merge() {
  const auto middle = entries_.begin() + static_cast<std::ptrdiff_t>(merged_);
  std::inplace_merge(entries_.begin(), middle, entries_.end(),
                     [](const Entry& a, const Entry& b) { return a.row < b.row; });
  merged_ = entries_.size();
  cursor_ = 0;
}

void RowSum::clear() {
  entries_.clear();
  merged_ = cursor_ = 0;
  last_row_ = 0;
}

std::span<const RowSum::Entry> RowSum::sorted() {
  merge();
  return entries_;
}

}  // namespace dtrain::inline v0::ps
