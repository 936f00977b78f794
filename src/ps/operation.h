#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "base/completion.h"
#include "ps/client.h"

namespace dtrain::inline v0::ps {

/// One push, pull or push-pull over all servers. Confined to Client.
struct Operation {
  std::vector<Source> sources;
  std::vector<Target> targets;
  std::vector<std::shared_ptr<const RowBatch>> rows;
  std::vector<RowTarget> row_targets;
  std::uint64_t weight = 1;
  bool assign = false;
  std::uint64_t step = 0;  ///< Which step it is for (backup workers).
  int slot = 0;
  std::optional<std::uint64_t> restored_step;
  std::optional<float> learning_rate;
  Freeze freeze = Freeze::kNo;
  std::shared_ptr<const std::atomic<std::size_t>> ready_end;  ///< As in the request.
  std::uint64_t number = 0;  ///< In the order in which the client was asked.
  base::TimePoint started{};
  int parts_left = 0;  ///< Servers (twice for a push-pull) that have not finished.
  std::uint64_t version = std::numeric_limits<std::uint64_t>::max();
  base::Completion<std::uint64_t> done;
  /// Its last copy's end sets `released`: every lent frame holds one.
  std::shared_ptr<const void> lease;

  void part_done(std::uint64_t part_version) {
    version = std::min(version, part_version);
    if (--parts_left > 0) return;
    lease.reset();
    done.set(version);
  }
};

/// The parts that overlap `range`, as a pair of iterators: they ascend.
template <typename Parts>
auto overlapping(Parts& parts, Range range) {
  auto first = std::partition_point(parts.begin(), parts.end(), [&](const auto& part) {
    return part.range.end() <= range.begin;
  });
  auto last = std::partition_point(
      first, parts.end(), [&](const auto& part) { return part.range.begin < range.end(); });
  return std::pair(first, last);
}

}  // namespace dtrain::inline v0::ps
