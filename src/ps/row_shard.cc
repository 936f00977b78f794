#include "ps/row_shard.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "tensor/initializer.h"

namespace dtrain::inline v0::ps {
namespace {

constexpr std::size_t kBitsPerWord = 64;
/// A pass over the whole slice hands the optimizer about so many elements at a time.
constexpr std::size_t kBlockElements = 16 * 1024;

std::size_t slice_bytes(Range slice, std::size_t width) {
  if (slice.count > static_cast<std::size_t>(-1) / sizeof(float) / width) throw std::bad_alloc();
  return slice.count * width * sizeof(float);
}

/// A gradient of 0 leaves values and slots as they are.
bool ignores_zero_gradients(const Optimizer& optimizer) {
  const auto* sgd = std::get_if<Sgd>(&optimizer);
  return sgd != nullptr && sgd->momentum == 0.0F && sgd->weight_decay == 0.0F;
}

}  // namespace

RowShard::RowShard(RowTable table, Range slice, Optimizer optimizer, const Clipping& clipping)
    : table_(std::move(table)),
      slice_(slice),
      width_(static_cast<std::size_t>(table_.width)),
      optimizer_(std::move(optimizer)),
      slot_table_(compute::slots_of(optimizer_)),
      gradient_limit_(clipping.value > 0.0F ? clipping.value
                                            : std::numeric_limits<float>::infinity()),
      values_(slice_bytes(slice, width_)),
      written_((slice.count + kBitsPerWord - 1) / kBitsPerWord * sizeof(std::uint64_t)) {
  for (int i = 0; i < slots(); ++i) {
    slots_[static_cast<std::size_t>(i)] = ZeroMemory(slice_bytes(slice, width_));
  }
}

bool RowShard::written(std::uint64_t row) const {
  const std::uint64_t bit = row - slice_.begin;
  return (written_.as<std::uint64_t>()[bit / kBitsPerWord] >> bit % kBitsPerWord & 1U) != 0;
}

void RowShard::draw(Range rows, std::span<float> values) const {
  tensor::initialize_part(table_.initializer, {table_.rows, table_.width}, table_.seed, table_.name,
                          rows.begin * width_, values);
}

void RowShard::touch(std::uint64_t row) {
  if (written(row)) return;
  draw({row, 1}, values_.as<float>().subspan(offset(row), width_));
  for (std::size_t slot = 0; slot < slot_table_.size(); ++slot) {
    if (slot_table_[slot].initial == 0.0F) continue;  // as the memory is
    const auto elements = slots_[slot].as<float>().subspan(offset(row), width_);
    std::ranges::fill(elements, slot_table_[slot].initial);
  }
  const std::uint64_t bit = row - slice_.begin;
  written_.as<std::uint64_t>()[bit / kBitsPerWord] |= std::uint64_t{1} << bit % kBitsPerWord;
}

void RowShard::read(Range rows, std::span<float> values) const {
  assert(values.size() == rows.count * width_);
  for (std::uint64_t row = rows.begin; row < rows.end(); ++row) {
    const auto out = values.subspan((row - rows.begin) * width_, width_);
    if (written(row)) {
      std::ranges::copy(values_.as<float>().subspan(offset(row), width_), out.begin());
    } else {
      draw({row, 1}, out);
    }
  }
}

void RowShard::write(Range rows, std::span<const float> values) {
  assert(values.size() == rows.count * width_);
  for (std::uint64_t row = rows.begin; row < rows.end(); ++row) {
    const auto part = values.subspan((row - rows.begin) * width_, width_);
    if (holds_already(row, -1, part)) continue;
    touch(row);
    std::ranges::copy(part, values_.as<float>().subspan(offset(row), width_).begin());
  }
}

bool RowShard::holds_already(std::uint64_t row, int slot, std::span<const float> values) const {
  if (written(row)) return false;
  std::vector<float> held(width_);
  if (slot < 0) {
    read({row, 1}, held);
  } else {
    read_slot(slot, {row, 1}, held);
  }
  return std::memcmp(held.data(), values.data(), values.size_bytes()) == 0;
}

void RowShard::read_slot(int slot, Range rows, std::span<float> values) const {
  assert(values.size() == rows.count * width_);
  const auto index = static_cast<std::size_t>(slot);
  for (std::uint64_t row = rows.begin; row < rows.end(); ++row) {
    const auto out = values.subspan((row - rows.begin) * width_, width_);
    if (written(row)) {
      std::ranges::copy(slots_[index].as<float>().subspan(offset(row), width_), out.begin());
    } else {
      std::ranges::fill(out, slot_table_[index].initial);
    }
  }
}

void RowShard::write_slot(int slot, Range rows, std::span<const float> values) {
  assert(values.size() == rows.count * width_);
  auto& memory = slots_[static_cast<std::size_t>(slot)];
  for (std::uint64_t row = rows.begin; row < rows.end(); ++row) {
    const auto part = values.subspan((row - rows.begin) * width_, width_);
    if (holds_already(row, slot, part)) continue;
    touch(row);
    std::ranges::copy(part, memory.as<float>().subspan(offset(row), width_).begin());
  }
}

void RowShard::accumulate(std::uint64_t row, std::span<const float> gradient, float weight) {
  assert(holds(row) && gradient.size() == width_);
  const auto [place, is_new] = sum_rows_.try_emplace(row, sum_rows_.size());
  if (is_new) sums_.resize(sum_rows_.size() * width_, 0.0F);
  compute::accumulate(std::span(sums_).subspan(place->second * width_, width_), gradient, weight);
}

void RowShard::drop_sum() {
  sum_rows_.clear();
  sums_.clear();
}

std::vector<std::uint64_t> RowShard::sorted_rows_of_sum() const {
  std::vector<std::uint64_t> rows;
  rows.reserve(sum_rows_.size());
  for (const auto& [row, place] : sum_rows_) rows.push_back(row);
  std::ranges::sort(rows);
  return rows;
}

void RowShard::apply(Range rows, std::span<const float> gradients, std::int64_t step, float scale) {
  for (std::uint64_t row = rows.begin; row < rows.end(); ++row) touch(row);
  const std::size_t first = offset(rows.begin);
  const auto values = values_.as<float>().subspan(first, gradients.size());
  compute::OptimizerUpdate update{.step = step,
                                  .gradient_scale = scale,
                                  .gradient_limit = gradient_limit_,
                                  .values = values,
                                  .updated = values,
                                  .gradients = gradients};
  for (int i = 0; i < slots(); ++i) {
    const auto slot = static_cast<std::size_t>(i);
    update.slots[slot] = slots_[slot].as<float>().subspan(first, gradients.size());
  }
  compute::apply(optimizer_, update);
}

void RowShard::apply_sum(std::int64_t step, float scale) {
  if (table_.updates == RowUpdates::kDense && !ignores_zero_gradients(optimizer_)) {
    apply_to_all(step, scale);
  } else {
    for (const std::uint64_t row : sorted_rows_of_sum()) {
      const std::size_t place = sum_rows_.at(row) * width_;
      apply({row, 1}, std::span(std::as_const(sums_)).subspan(place, width_), step, scale);
    }
  }
  drop_sum();
}

void RowShard::apply_to_all(std::int64_t step, float scale) {
  const std::vector<std::uint64_t> named = sorted_rows_of_sum();
  const std::size_t block_rows = std::max<std::size_t>(kBlockElements / width_, 1);
  std::vector<float> gradients;
  auto next = named.begin();
  for (std::uint64_t begin = slice_.begin; begin < slice_.end(); begin += block_rows) {
    const Range block{begin, std::min<std::size_t>(block_rows, slice_.end() - begin)};
    gradients.assign(block.count * width_, 0.0F);
    for (; next != named.end() && *next < block.end(); ++next) {
      const auto sum = std::span(sums_).subspan(sum_rows_.at(*next) * width_, width_);
      std::ranges::copy(sum,
                        gradients.begin() + static_cast<std::ptrdiff_t>((*next - begin) * width_));
    }
    apply(block, gradients, step, scale);
  }
}

}  // namespace dtrain::inline v0::ps
