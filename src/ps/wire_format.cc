#include "ps/wire_format.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "compute/half.h"

namespace dtrain::inline v0::ps {
namespace {

std::size_t bytes_of(GradientType type, std::size_t count) {
  if (type == GradientType::kFloat32) return count * sizeof(float);
  return (count + count % 2) * sizeof(std::uint16_t);
}

}  // namespace

WireFormat::WireFormat(const tensor::Layout& layout, std::span<const GradientType> types) {
  assert(types.size() == layout.entries().size());
  for (std::size_t i = 0; i < types.size(); ++i) {
    const bool last = i + 1 == types.size();
    const std::size_t end = last ? layout.count() : layout.entries()[i + 1].offset;
    if (!runs_.empty() && runs_.back().type == types[i]) {
      runs_.back().end = end;
    } else {
      runs_.push_back({end, types[i]});
    }
  }
  if (runs_.size() == 1 && runs_.front().type == GradientType::kFloat32) runs_.clear();
}

template <typename Visit>
void WireFormat::for_each_run(Range range, const Visit& visit) const {
  auto run = std::ranges::upper_bound(runs_, range.begin, {}, &Run::end);
  for (std::size_t at = range.begin; at < range.end(); ++run) {
    const std::size_t end = std::min(run->end, range.end());
    visit(run->type, end - at);
    at = end;
  }
}

std::size_t WireFormat::bytes(Range range) const {
  if (plain()) return range.count * sizeof(float);
  std::size_t bytes = 0;
  for_each_run(range,
               [&](GradientType type, std::size_t count) { bytes += bytes_of(type, count); });
  return bytes;
}

void WireFormat::encode(Range range, const float* from, std::byte* to) const {
  if (plain()) {
    std::memcpy(to, from, range.count * sizeof(float));
    return;
  }
  for_each_run(range, [&](GradientType type, std::size_t count) {
    const std::span source(from, count);
    const std::span halves(reinterpret_cast<std::uint16_t*>(to), count);
    switch (type) {
      case GradientType::kFloat32:
        std::memcpy(to, from, count * sizeof(float));
        break;
      case GradientType::kFloat16:
        compute::to_float16(source, halves);
        break;
      case GradientType::kBFloat16:
        compute::to_bfloat16(source, halves);
        break;
    }
    const std::size_t written =
        count * (type == GradientType::kFloat32 ? sizeof(float) : sizeof(std::uint16_t));
    std::memset(to + written, 0, bytes_of(type, count) - written);
    from += count;
    to += bytes_of(type, count);
  });
}

void WireFormat::decode(Range range, const std::byte* from, float* to) const {
  if (plain()) {
    std::memcpy(to, from, range.count * sizeof(float));
    return;
  }
  for_each_run(range, [&](GradientType type, std::size_t count) {
    const std::span halves(reinterpret_cast<const std::uint16_t*>(from), count);
    const std::span target(to, count);
    switch (type) {
      case GradientType::kFloat32:
        std::memcpy(to, from, count * sizeof(float));
        break;
      case GradientType::kFloat16:
        compute::from_float16(halves, target);
        break;
      case GradientType::kBFloat16:
        compute::from_bfloat16(halves, target);
        break;
    }
    from += bytes_of(type, count);
    to += count;
  });
}

}  // namespace dtrain::inline v0::ps
