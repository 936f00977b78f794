#include "ps/partition.h"

#include <algorithm>

namespace dtrain::inline v0::ps {
namespace {

/// The cut nearest to `ideal` that does not go through a row.
std::size_t nearest_cut(const tensor::Layout& layout, std::size_t ideal) {
  const auto& entries = layout.entries();
  // The first entry that ends behind `ideal` is the one that the cut could go through.
  const auto entry =
      std::upper_bound(entries.begin(), entries.end(), ideal,
                       [](std::size_t at, const tensor::LayoutEntry& e) { return at < e.end(); });
  if (entry == entries.end()) return layout.count();
  if (ideal <= entry->offset) return entry->offset;
  const std::size_t row = entry->row_count();
  const std::size_t below = entry->offset + (ideal - entry->offset) / row * row;
  const std::size_t above = below + row;
  return ideal - below <= above - ideal ? below : above;
}

}  // namespace

std::vector<Range> partition(const tensor::Layout& layout, int servers) {
  const auto count = static_cast<std::size_t>(servers);
  std::vector<Range> slices;
  slices.reserve(count);
  std::size_t begin = 0;
  for (std::size_t i = 1; i <= count; ++i) {
    // total * i / count without overflow.
    const std::size_t ideal = layout.count() / count * i + layout.count() % count * i / count;
    const std::size_t end =
        i == count ? layout.count() : std::max(begin, nearest_cut(layout, ideal));
    slices.push_back({begin, end - begin});
    begin = end;
  }
  return slices;
}

std::vector<Range> trained_ranges(const compute::UpdatePlan& plan) {
  std::vector<Range> ranges;
  for (const compute::UpdateRun& run : plan.runs()) {
    if (run.frozen) continue;
    if (!ranges.empty() && ranges.back().end() == run.begin) {
      ranges.back().count += run.end - run.begin;
    } else {
      ranges.push_back({run.begin, run.end - run.begin});
    }
  }
  return ranges;
}

Range intersect(Range a, Range b) {
  const std::size_t begin = std::max(a.begin, b.begin);
  const std::size_t end = std::min(a.end(), b.end());
  return {begin, end > begin ? end - begin : 0};
}

std::vector<Range> clip(const std::vector<Range>& ranges, Range slice) {
  std::vector<Range> clipped;
  for (const Range& range : ranges) {
    const Range part = intersect(range, slice);
    if (part.count == 0) continue;
    if (!clipped.empty() && clipped.back().end() == part.begin) {
      clipped.back().count += part.count;
    } else {
      clipped.push_back(part);
    }
  }
  return clipped;
}

std::vector<Range> cut_into_chunks(const std::vector<Range>& ranges, std::size_t chunk_elements) {
  std::vector<Range> chunks;
  for (const Range& range : ranges) {
    for (std::size_t at = range.begin; at < range.end(); at += chunk_elements) {
      chunks.push_back({at, std::min(chunk_elements, range.end() - at)});
    }
  }
  return chunks;
}

std::uint32_t count_eager(const std::vector<Range>& chunks, std::size_t bytes) {
  std::uint32_t count = 0;
  for (const Range& chunk : chunks) {
    const std::size_t chunk_bytes = chunk.count * sizeof(float);
    if (chunk_bytes > bytes) break;
    bytes -= chunk_bytes;
    ++count;
  }
  return count;
}

}  // namespace dtrain::inline v0::ps
