#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dtrain::inline v0::data {

/// Which examples a batch of BatchPlanOptions::batch_size counts.
enum class BatchScope {
  kGlobal,  ///< Those of all workers together: one step of a synchronous strategy.
  kWorker,  ///< The worker's own: asynchronous strategies.
};

struct BatchPlanOptions {
  std::size_t examples = 0;    ///< In the data set, at least 1.
  std::size_t batch_size = 0;  ///< At least 1.
  BatchScope scope = BatchScope::kGlobal;
  int workers = 1;
  int rank = 0;  ///< This worker, in [0, workers).
  bool shuffle = true;
  std::uint64_t seed = 0;  ///< The same for all workers.
};

/// The range [begin, begin + count) that part `index` of `parts` has of `total`: parts follow one
/// another, cover everything, and differ by at most 1 in count, the larger ones first.
struct Part {
  std::size_t begin = 0;
  std::size_t count = 0;
};
Part part_of(std::size_t total, std::size_t parts, std::size_t index);

/// Which examples a worker trains on in each step of an epoch.
///
/// One order of all examples is drawn per epoch from the seed and the epoch's number, the same in
/// every process. Scope kGlobal: step k is order[k * batch_size, (k + 1) * batch_size) whatever the
/// number of workers; each has a contiguous part of it (part_of), which is empty when there are
/// fewer examples than workers. Scope kWorker: each worker has a contiguous part of the order and
/// cuts it into batches of its own. Either way each example comes exactly once per epoch, and the
/// last batch is a smaller one when the numbers do not divide.
///
/// Allocates only when constructed. Thread-compatible.
class BatchPlan {
 public:
  /// In epoch 0. Throws invalid_argument that names the option.
  explicit BatchPlan(const BatchPlanOptions& options);

  /// Draws the order of an epoch; a function of the seed and `epoch` alone.
  void start_epoch(std::uint64_t epoch);

  /// Steps of this worker in each epoch. With scope kGlobal equal for all workers; with kWorker
  /// they differ by at most 1, and may be 0.
  std::size_t steps_per_epoch() const { return steps_; }
  /// Of the worker that has most of them.
  std::size_t steps_per_epoch_max() const { return steps_max_; }

  /// This worker's examples in a step below steps_per_epoch_max(), maybe none. Valid until the next
  /// start_epoch.
  std::span<const std::uint64_t> examples(std::size_t step) const;

  /// Examples of all workers (kGlobal) or of this one (kWorker) in a step.
  std::size_t batch_size(std::size_t step) const;

  const BatchPlanOptions& options() const { return options_; }

 private:
  std::span<const std::uint64_t> batch(std::size_t step) const;

  BatchPlanOptions options_;
  Part share_;  // What the steps are cut from: the whole order, or this worker's part of it.
  std::size_t steps_ = 0;
  std::size_t steps_max_ = 0;
  std::vector<std::uint64_t> order_;
};

}  // namespace dtrain::inline v0::data
