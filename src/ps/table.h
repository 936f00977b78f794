#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "dtrain/consistency.h"
#include "dtrain/optimizer.h"
#include "dtrain/row_table.h"
#include "dtrain/update_rules.h"
#include "ps/partition.h"
#include "ps/ps.pb.h"
#include "ps/wire_format.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::ps {

namespace pb = ::dtrain_pb::ps;

/// What all workers declare alike: the variables and how they are trained.
struct Table {
  tensor::Layout layout;
  /// One per variable of the layout, or none: all fp32.
  std::vector<GradientType> gradient_types = {};
  Optimizer optimizer;
  Consistency consistency;
  int workers = 1;
  int servers = 1;
  std::size_t chunk_elements = kChunkElementsDefault;
  UpdateRules rules = {};
  std::vector<RowTable> row_tables;  ///< Beside the layout's variables.

  static constexpr std::size_t kChunkElementsDefault = (1 << 20) / sizeof(float);

  /// A step's update takes many workers' pushes; otherwise each push is an update of its own.
  bool synchronous() const { return std::holds_alternative<Synchronous>(consistency); }
  /// How many pushes a worker may be ahead of the slowest one when it pulls.
  std::uint64_t staleness_max() const;
  WireFormat wire_format() const;
  /// Contributions that a synchronous step can do without.
  int backup_workers() const;
};

/// What rules cannot mean: clipping by norms excludes backup workers and row tables, and groups are
/// of variables. Throws invalid_argument.
void check_rules(const Table& table);

/// Bounded staleness of 0 becomes the synchronous mode that it is. Throws invalid_argument that
/// names the option.
Consistency checked(const Consistency& consistency, int workers);

pb::Table to_proto(const Table& table);

/// Checks everything: the message comes from the network.
base::Result<Table> from_proto(const pb::Table& message);

/// What the first difference is, for the worker that declares `theirs` when `ours` was first:
/// `variable 3 is "w" (10, 4), but worker 0 declared "v" (10, 4)`. Empty when they are equal.
std::string difference(const pb::Table& ours, const pb::Table& theirs);

/// Ranges as they stand in messages. Parsing checks that they ascend, do not overlap and lie
/// inside `slice`.
template <typename Message>
void add_ranges(const std::vector<Range>& ranges, Message& message) {
  for (const Range& range : ranges) {
    auto* added = message.add_ranges();
    added->set_begin(range.begin);
    added->set_count(range.count);
  }
}

template <typename Message>
base::Result<std::vector<Range>> parse_ranges(const Message& message, Range slice) {
  std::vector<Range> ranges;
  std::size_t at = slice.begin;
  for (const auto& range : message.ranges()) {
    if (range.begin() < at || range.begin() > slice.end() || range.count() == 0 ||
        range.count() > slice.end() - range.begin()) {
      return Error(ErrorCode::kProtocol, "a range lies outside of the server's slice or overlaps");
    }
    ranges.push_back({range.begin(), range.count()});
    at = ranges.back().end();
  }
  return ranges;
}

}  // namespace dtrain::inline v0::ps
