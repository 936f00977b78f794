#include "ps/clip.h"

#include <algorithm>

namespace dtrain::inline v0::ps {
namespace {

/// The parts of `range` that sources have, as memory.
template <typename Visit>
void for_each_overlap(const std::vector<Source>& sources, Range range, const Visit& visit) {
  auto source = std::ranges::partition_point(
      sources, [&](const Source& s) { return s.range.end() <= range.begin; });
  for (; source != sources.end() && source->range.begin < range.end(); ++source) {
    const Range part = intersect(source->range, range);
    visit(part, std::span(source->data + (part.begin - source->range.begin), part.count));
  }
}

}  // namespace

void clip_own_gradients(const tensor::Layout& layout, const compute::UpdatePlan& plan,
                        PushRequest& request) {
  if (!plan.clips_by_norm() || request.assign || request.weight == 0) return;
  const std::vector<double> factors = plan.clip_factors(
      layout, 1.0, [&](std::size_t begin, std::size_t count, compute::SquareSum& sum) {
        for_each_overlap(request.sources, {begin, count},
                         [&](Range, std::span<const float> part) { sum.add(part); });
      });
  if (std::ranges::all_of(factors, [](double factor) { return factor == 1.0; })) return;

  auto clipped = std::make_shared<std::vector<std::vector<float>>>();
  const auto& entries = layout.entries();
  for (Source& source : request.sources) {
    std::vector<float>& copy = clipped->emplace_back(source.data, source.data + source.range.count);
    auto entry = std::ranges::partition_point(
        entries, [&](const auto& e) { return e.end() <= source.range.begin; });
    for (; entry != entries.end() && entry->offset < source.range.end(); ++entry) {
      if (!plan.is_clipped(entry->offset)) continue;
      const std::size_t variable = static_cast<std::size_t>(entry - entries.begin());
      const auto factor = static_cast<float>(factors[factors.size() == 1 ? 0 : variable]);
      const Range part = intersect({entry->offset, entry->count}, source.range);
      const auto first =
          copy.begin() + static_cast<std::ptrdiff_t>(part.begin - source.range.begin);
      std::for_each_n(first, part.count, [&](float& gradient) { gradient *= factor; });
    }
    source.data = copy.data();
  }
  request.hold = std::move(clipped);
}

}  // namespace dtrain::inline v0::ps
