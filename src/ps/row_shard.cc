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
/// Rows brought together for the optimizer: what stays in the first-level cache.
constexpr std::size_t kGatheredElements = 2 * 1024;
/// Rows lie anywhere in memory: so many are fetched ahead of the one that is read.
constexpr std::size_t kPrefetchRows = 16;
constexpr std::size_t kLineBytes = 64;

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
      shape_{table_.rows, table_.width},
      slice_(slice),
      width_(static_cast<std::size_t>(table_.width)),
      optimizer_(std::move(optimizer)),
      slot_table_(compute::slots_of(optimizer_)),
      gradient_limit_(clipping.value > 0.0F ? clipping.value
                                            : std::numeric_limits<float>::infinity()),
      values_(slice_bytes(slice, width_)),
      written_((slice.count + kBitsPerWord - 1) / kBitsPerWord * sizeof(std::uint64_t)),
      sum_(width_) {
  for (int i = 0; i < slots(); ++i) {
    slots_[static_cast<std::size_t>(i)] = ZeroMemory(slice_bytes(slice, width_));
  }
}

bool RowShard::written(std::uint64_t row) const {
  const std::uint64_t bit = row - slice_.begin;
  return (written_.as<std::uint64_t>()[bit / kBitsPerWord] >> bit % kBitsPerWord & 1U) != 0;
}

void RowShard::draw(Range rows, std::span<float> values) const {
  tensor::initialize_part(table_.initializer, shape_, table_.seed, table_.name, rows.begin * width_,
                          values);
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
      std::memcpy(out.data(), values_.as<float>().data() + offset(row), out.size_bytes());
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

void RowShard::prefetch(const ZeroMemory& memory, std::uint64_t row) const {
  const float* elements = memory.as<float>().data() + offset(row);
  const auto* bytes = reinterpret_cast<const std::byte*>(elements);
  const std::size_t count = std::min(width_ * sizeof(float), 8 * kLineBytes);
  for (std::size_t at = 0; at < count; at += kLineBytes) __builtin_prefetch(bytes + at);
}

void RowShard::gather(std::span<const std::uint64_t> rows, std::span<float> values) const {
  assert(values.size() == rows.size() * width_);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i + kPrefetchRows < rows.size()) prefetch(values_, rows[i + kPrefetchRows]);
    read({rows[i], 1}, values.subspan(i * width_, width_));
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

void RowShard::accumulate(std::span<const std::uint64_t> rows, std::span<const float> gradients,
                          float weight) {
  assert(std::ranges::all_of(rows, [&](std::uint64_t row) { return holds(row); }));
  sum_.add(rows, gradients, weight);
}

void RowShard::drop_sum() { sum_.clear(); }

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
    apply_to_named(step, scale);
  }
  drop_sum();
}

void RowShard::apply_to_named(std::int64_t step, float scale) {
  const std::size_t block_rows = std::max<std::size_t>(kGatheredElements / width_, 1);
  for (auto rest = sum_.sorted(); !rest.empty();) {
    const auto block = rest.first(std::min(block_rows, rest.size()));
    rest = rest.subspan(block.size());
    for (const RowSum::Entry& entry : rest.first(std::min(block_rows, rest.size()))) {
      prefetch(values_, entry.row);
      for (int slot = 0; slot < slots(); ++slot) {
        prefetch(slots_[static_cast<std::size_t>(slot)], entry.row);
      }
    }
    apply_block(block, step, scale);
  }
}

/// Values and slots are brought together, so that the optimizer runs once and not for each row.
void RowShard::apply_block(std::span<const RowSum::Entry> rows, std::int64_t step, float scale) {
  const std::size_t count = rows.size() * width_;
  for (auto& memory : gathered_) memory.resize(std::max(memory.size(), count));
  const std::size_t row_bytes = width_ * sizeof(float);
  const auto gather = [&](const ZeroMemory& memory, std::span<float> to) {
    const float* from = memory.as<float>().data();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::memcpy(to.data() + i * width_, from + offset(rows[i].row), row_bytes);
    }
  };
  const auto scatter = [&](std::span<const float> from, ZeroMemory& memory) {
    float* to = memory.as<float>().data();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::memcpy(to + offset(rows[i].row), from.data() + i * width_, row_bytes);
    }
  };
  for (const RowSum::Entry& entry : rows) touch(entry.row);
  const auto values = std::span(gathered_.front()).first(count);
  gather(values_, values);
  compute::OptimizerUpdate update{.step = step,
                                  .gradient_scale = scale,
                                  .gradient_limit = gradient_limit_,
                                  .values = values,
                                  .updated = values,
                                  .gradients = gradients_of(rows)};
  for (std::size_t slot = 0; slot < slot_table_.size(); ++slot) {
    update.slots[slot] = std::span(gathered_[slot + 1]).first(count);
    gather(slots_[slot], update.slots[slot]);
  }
  compute::apply(optimizer_, update);
  scatter(values, values_);
  for (std::size_t slot = 0; slot < slot_table_.size(); ++slot) {
    scatter(update.slots[slot], slots_[slot]);
  }
}

/// The sums of rows, side by side: those of one push lie so.
std::span<const float> RowShard::gradients_of(std::span<const RowSum::Entry> rows) {
  const std::size_t count = rows.size() * width_;
  const bool in_order = std::ranges::adjacent_find(rows, [](const auto& a, const auto& b) {
                          return b.place != a.place + 1;
                        }) == rows.end();
  if (in_order) return {sum_.at(rows.front().place), count};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::copy_n(sum_.at(rows[i].place), width_, gathered_.back().data() + i * width_);
  }
  return std::span(gathered_.back()).first(count);
}

void RowShard::apply_to_all(std::int64_t step, float scale) {
  const auto named = sum_.sorted();
  const std::size_t block_rows = std::max<std::size_t>(kBlockElements / width_, 1);
  std::vector<float> gradients;
  auto next = named.begin();
  for (std::uint64_t begin = slice_.begin; begin < slice_.end(); begin += block_rows) {
    const Range block{begin, std::min<std::size_t>(block_rows, slice_.end() - begin)};
    gradients.assign(block.count * width_, 0.0F);
    for (; next != named.end() && next->row < block.end(); ++next) {
      std::copy_n(sum_.at(next->place), width_,
                  gradients.begin() + static_cast<std::ptrdiff_t>((next->row - begin) * width_));
    }
    apply(block, gradients, step, scale);
  }
}

}  // namespace dtrain::inline v0::ps
