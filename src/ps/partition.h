#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "compute/update_plan.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::ps {

/// A run of elements of the arena.
struct Range {
  std::size_t begin = 0;
  std::size_t count = 0;

  std::size_t end() const { return begin + count; }
  bool operator==(const Range&) const = default;
};

/// The part of the arena that each of `servers` servers holds: consecutive ranges that cover it,
/// cut between rows of a variable's first dimension (or between variables) as near to equal
/// numbers of bytes as rows allow. A server may get nothing when there are more servers than rows.
/// The same on every process that plans it.
std::vector<Range> partition(const tensor::Layout& layout, int servers);

/// What is not frozen, neighbours joined.
std::vector<Range> trained_ranges(const compute::UpdatePlan& plan);

/// Where two ranges overlap; count 0 where they do not.
Range intersect(Range a, Range b);

/// The parts of `ranges` (ascending, disjoint) inside `slice`, neighbours joined.
std::vector<Range> clip(const std::vector<Range>& ranges, Range slice);

/// A transfer's chunks: each range cut into runs of at most `chunk_elements`, in order. Client and
/// server derive the same list, so that a chunk's number says what it is.
std::vector<Range> cut_into_chunks(const std::vector<Range>& ranges, std::size_t chunk_elements);

/// How many of the first chunks fit into `bytes` together: those that may be sent unasked.
std::uint32_t count_eager(const std::vector<Range>& chunks, std::size_t bytes);

}  // namespace dtrain::inline v0::ps
