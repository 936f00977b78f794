#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "data/batch_plan.h"
#include "data/match.h"
#include "dtrain/dataset.h"
#include "tensor/view.h"

namespace dtrain::inline v0::data {

/// Gathers the examples of a plan's steps into buffers that it reuses: no allocation after the
/// constructor. Keeps its data set alive. Confined to one thread at a time.
class Batcher {
 public:
  /// The examples in the options must be those of the data set. Batches have the features and
  /// targets that `names` asks for (match.h), in its order. Throws invalid_argument where they do
  /// not match.
  Batcher(Dataset dataset, const BatchPlanOptions& options, const ModelNames& names = {});
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  void start_epoch(std::uint64_t epoch) { plan_.start_epoch(epoch); }
  const BatchPlan& plan() const { return plan_; }
  const Dataset& dataset() const { return dataset_; }

  /// This worker's examples in a step below plan().steps_per_epoch_max(); null when it has none.
  /// Valid until the next call or start_epoch.
  const tensor::Batch* batch(std::size_t step);

 private:
  struct Free {
    void operator()(std::byte* bytes) const;
  };
  /// Where a column's rows are and where they go.
  struct Gathered {
    const std::byte* rows = nullptr;
    std::size_t row_bytes = 0;
    std::size_t width = 0;  // Elements of a row.
    std::unique_ptr<std::byte[], Free> out;
  };

  void add(std::size_t rows, tensor::View all, std::vector<tensor::View>& views);
  static void gather(const Gathered& from, std::span<const std::uint64_t> indices,
                     tensor::View& to);

  Dataset dataset_;
  BatchPlan plan_;
  std::vector<Gathered> gathered_;  // The inputs', the targets', then the weights'.
  tensor::Batch batch_;
};

}  // namespace dtrain::inline v0::data
