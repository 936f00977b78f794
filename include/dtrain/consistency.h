#pragma once

#include <variant>

namespace dtrain::inline v0 {

/// Every worker contributes to each step; the step's update is the mean of the contributions,
/// weighted by their example counts and summed in worker order, so that the same seed gives the
/// same bits. Losing a worker ends the job.
///
/// With backup workers a step is over after the first `workers - backup_workers` contributions,
/// summed as they come (bits then depend on timing); what comes later is dropped and counted, and
/// its worker goes on with the step that the others are at. So many workers may be lost, the chief
/// excepted. (Chen et al., "Revisiting Distributed Synchronous SGD", 2016.)
struct Synchronous {
  int backup_workers = 0;  ///< At least 0, and fewer than there are workers.

  bool operator==(const Synchronous&) const = default;
};

/// Each push is an update of its own, as in asynchronous training, but a worker that is more than
/// `staleness` pushes ahead of the slowest one waits for it when it pulls. Workers make the same
/// number of pushes; one without examples pushes weight 0. Losing a worker (other than the chief)
/// does not end the job. With staleness 0 it is Synchronous, bit for bit.
/// (Ho et al., "More Effective Distributed ML via a Stale Synchronous Parallel Parameter Server",
/// 2013.)
struct BoundedStaleness {
  int staleness = 1;  ///< At least 0.

  bool operator==(const BoundedStaleness&) const = default;
};

/// Each push is an update of its own, applied when it arrives. Workers do not wait for each other;
/// losing one (other than the chief) does not end the job.
struct Asynchronous {
  bool operator==(const Asynchronous&) const = default;
};

/// When parameter servers apply what workers push.
using Consistency = std::variant<Synchronous, BoundedStaleness, Asynchronous>;

}  // namespace dtrain::inline v0
