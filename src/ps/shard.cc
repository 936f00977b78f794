#include "ps/shard.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <utility>

namespace dtrain::inline v0::ps {
namespace {

constexpr std::size_t kBlockElements = 4096;

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

Shard::Shard(Range slice, Optimizer optimizer)
    : Shard(slice, compute::UpdatePlan(std::move(optimizer))) {}

Shard::Shard(Range slice, compute::UpdatePlan plan, Allocate allocate)
    : slice_(slice),
      plan_(std::move(plan)),
      allocate_(std::move(allocate)),
      values_(std::make_shared<tensor::Arena>(allocate_(slice.count))) {
  auto arenas = compute::slot_arenas(plan_.optimizer(), slice.count);
  for (std::size_t i = 0; i < arenas.size(); ++i) {
    if (arenas[i].count() > 0) slots_[i] = std::make_shared<tensor::Arena>(std::move(arenas[i]));
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

void Shard::own_slots() {
  for (auto& slot : slots_) {
    if (!slot || unused_but_for(slot, 1)) continue;
    auto copy = std::make_shared<tensor::Arena>(slice_.count);
    std::ranges::copy(slot->span(), copy->span().begin());
    slot = std::move(copy);
  }
}

Frozen Shard::freeze() const {
  assert(!updating());
  Frozen frozen{.parts = {values_}, .version = version_};
  // Null where the slice is empty: rows may have the slot all the same.
  for (int i = 0; i < compute::slot_count(plan_.optimizer()); ++i) {
    frozen.parts.push_back(slots_[static_cast<std::size_t>(i)]);
  }
  return frozen;
}

void Shard::assign(Range range, std::span<const float> values, int slot) {
  assert(!updating() && values.size() == range.count);
  if (slot > 0) {
    own_slots();
    auto& target = *slots_[static_cast<std::size_t>(slot) - 1];
    std::ranges::copy(values, part(target, slice_, range).begin());
    return;
  }
  own_values();
  std::ranges::copy(values, part(*values_, slice_, range).begin());
}

void Shard::accumulate(Range range, std::span<const float> gradients, float weight, bool first) {
  if (sum_.count() == 0) sum_ = tensor::Arena(slice_.count);
  const auto sum = part(sum_, slice_, range);
  if (!first) {
    compute::accumulate(sum, gradients, weight);
    return;
  }
  // Block by block: what is cleared is still in the first-level cache when it is added to.
  for (std::size_t done = 0; done < range.count; done += kBlockElements) {
    const std::size_t count = std::min(kBlockElements, range.count - done);
    std::ranges::fill(sum.subspan(done, count), 0.0F);
    compute::accumulate(sum.subspan(done, count), gradients.subspan(done, count), weight);
  }
}

void Shard::update_range(Range range, std::span<const float> gradients,
                         std::span<const double> clip_factors, float scale) {
  compute::OptimizerUpdate update{.step = static_cast<std::int64_t>(step_ + 1),
                                  .gradient_scale = scale,
                                  .values = part(std::as_const(*values_), slice_, range),
                                  .updated = part(*target_, slice_, range),
                                  .gradients = gradients};
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i]) update.slots[i] = part(*slots_[i], slice_, range);
  }
  plan_.for_each_part(range.begin, update, clip_factors,
                      [&](const auto& run) { compute::apply(plan_.optimizer(), run); });
}

void Shard::add_squares(Range range, const std::vector<Range>& ranges,
                        compute::SquareSum& sum) const {
  for (const Range& given : ranges) {
    const Range both = intersect(given, range);
    if (both.count > 0) sum.add(part(sum_, slice_, both));
  }
}

void Shard::apply_sum(const std::vector<Range>& ranges, double weight_total,
                      std::span<const double> clip_factors) {
  begin_step(ranges, weight_total);
  for (const Range& range : ranges) finish_range(range, clip_factors);
  end_update();
}

void Shard::begin_step(const std::vector<Range>& ranges, double weight_total) {
  assert(weight_total > 0);
  weight_total_ = weight_total;
  choose_target(ranges);
}

/// The values themselves where nobody reads them, else other memory. What `ranges` does not cover
/// is copied there.
void Shard::choose_target(const std::vector<Range>& ranges) {
  assert(!updating());
  own_slots();
  if (unused_but_for(values_, 1)) {
    target_ = values_;
    return;
  }
  target_ = take_spare();
  const bool whole = ranges.size() == 1 && ranges.front() == slice_ && !plan_.has_frozen();
  if (!whole) std::ranges::copy(values_->span(), target_->span().begin());
}

void Shard::finish_range(Range range, std::span<const double> clip_factors) {
  assert(updating());
  update_range(range, part(std::as_const(sum_), slice_, range), clip_factors, mean_scale());
}

void Shard::finish_range(Range range, std::span<const float> gradients, float weight, bool first) {
  assert(updating() && gradients.size() == range.count);
  if (first) {
    // Alone: its mean is itself, and it is read once, where it lies.
    update_range(range, gradients, {}, static_cast<float>(weight / weight_total_));
    return;
  }
  // Block by block, so that the sum stays in the first-level cache between its two uses.
  std::array<float, kBlockElements> block;
  for (std::size_t done = 0; done < range.count; done += kBlockElements) {
    const Range now{range.begin + done, std::min(kBlockElements, range.count - done)};
    const auto sum = std::span(block).first(now.count);
    std::ranges::copy(part(std::as_const(sum_), slice_, now), sum.begin());
    compute::accumulate(sum, gradients.subspan(done, now.count), weight);
    update_range(now, sum, {}, mean_scale());
  }
}

void Shard::begin_update(const std::vector<Range>& ranges) {
  weight_total_ = 1.0;
  choose_target(ranges);
}

void Shard::keep(Range range) {
  assert(updating());
  if (target_ == values_) return;
  std::ranges::copy(part(std::as_const(*values_), slice_, range),
                    part(*target_, slice_, range).begin());
}

void Shard::apply(Range range, std::span<const float> gradients) {
  assert(updating());
  update_range(range, gradients, {}, 1.0F);
}

void Shard::end_update() {
  assert(updating());
  if (target_ != values_) spare_ = std::exchange(values_, std::move(target_));
  target_.reset();
  ++version_;
  ++step_;
}

}  // namespace dtrain::inline v0::ps
