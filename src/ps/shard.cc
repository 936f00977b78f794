#include "ps/shard.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <utility>

namespace dtrain::inline v0::ps {
namespace {

/// Whether no other copy of `owner` is left. The fence pairs with the release of the last copy, on
/// whichever thread it died, so that what was read through it was read before we write.
template <typename T>
bool unused_but_for(const std::shared_ptr<T>& owner, long copies) {
  if (owner.use_count() > copies) return false;
  std::atomic_thread_fence(std::memory_order_acquire);
  return true;
}

template <typename Arena>
auto part(Arena& arena, Range slice, Range range) {
  assert(range.begin >= slice.begin && range.end() <= slice.end());
  return arena.span().subspan(range.begin - slice.begin, range.count);
}

}  // namespace

Shard::Shard(Range slice, Optimizer optimizer, Allocate allocate)
    : slice_(slice),
      optimizer_(std::move(optimizer)),
      allocate_(std::move(allocate)),
      values_(std::make_shared<tensor::Arena>(allocate_(slice.count))) {
  for (int i = 0; i < compute::slot_count(optimizer_); ++i) {
    slots_[static_cast<std::size_t>(i)] = tensor::Arena(slice.count);
  }
}

std::shared_ptr<tensor::Arena> Shard::take_spare() {
  if (spare_ && unused_but_for(spare_, 1)) return std::move(spare_);
  return std::make_shared<tensor::Arena>(allocate_(slice_.count));
}

void Shard::own_values() {
  if (unused_but_for(values_, 1)) return;
  auto copy = take_spare();
  std::ranges::copy(values_->span(), copy->span().begin());
  spare_ = std::exchange(values_, std::move(copy));
}

void Shard::assign(Range range, std::span<const float> values) {
  assert(!updating_ && values.size() == range.count);
  own_values();
  std::ranges::copy(values, part(*values_, slice_, range).begin());
}

void Shard::accumulate(Range range, std::span<const float> gradients, float weight, bool first) {
  if (sum_.count() == 0) sum_ = tensor::Arena(slice_.count);
  const auto sum = part(sum_, slice_, range);
  if (first) std::ranges::fill(sum, 0.0F);
  compute::accumulate(sum, gradients, weight);
}

void Shard::update_range(Range range, std::span<const float> gradients, float gradient_scale,
                         tensor::Arena& target) {
  compute::OptimizerUpdate update{.step = static_cast<std::int64_t>(version_ + 1),
                                  .gradient_scale = gradient_scale,
                                  .values = part(std::as_const(*values_), slice_, range),
                                  .updated = part(target, slice_, range),
                                  .gradients = gradients};
  for (int i = 0; i < compute::slot_count(optimizer_); ++i) {
    const auto slot = static_cast<std::size_t>(i);
    update.slots[slot] = part(slots_[slot], slice_, range);
  }
  compute::apply(optimizer_, update);
}

void Shard::apply_sum(const std::vector<Range>& ranges, double weight_total) {
  assert(!updating_ && weight_total > 0);
  const auto scale = static_cast<float>(1.0 / weight_total);
  auto target = values_;
  if (!unused_but_for(values_, 2)) {  // ours and `target`
    target = take_spare();
    const bool whole = ranges.size() == 1 && ranges.front() == slice_;
    if (!whole) std::ranges::copy(values_->span(), target->span().begin());
  }
  for (const Range& range : ranges) {
    update_range(range, part(std::as_const(sum_), slice_, range), scale, *target);
  }
  if (target != values_) spare_ = std::exchange(values_, std::move(target));
  ++version_;
}

void Shard::begin_update() {
  assert(!updating_);
  own_values();
  updating_ = true;
}

void Shard::apply(Range range, std::span<const float> gradients) {
  assert(updating_);
  update_range(range, gradients, 1.0F, *values_);
}

void Shard::end_update() {
  assert(updating_);
  updating_ = false;
  ++version_;
}

}  // namespace dtrain::inline v0::ps
