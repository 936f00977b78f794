#include "data/batch_plan.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

#include "base/philox.h"
#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::data {

namespace {

// Keeps the shuffle's random streams apart from others of the same seed ("shuffle" in ASCII).
constexpr std::uint64_t kShuffleStream = 0x73687566666c6500;

void validate(const BatchPlanOptions& options) {
  const auto reject = [](std::string_view happened, std::string_view advice) {
    throw Error(ErrorCode::kInvalidArgument, happened, advice);
  };
  if (options.examples == 0) {
    reject("the data set has no example", "Give the examples to train on");
  }
  if (options.batch_size == 0) reject("batch_size is 0", "Set it to at least 1, e.g. 64");
  if (options.workers < 1) {
    reject(base::str_cat("the number of workers is ", options.workers), "Set it to at least 1");
  }
  if (options.rank < 0 || options.rank >= options.workers) {
    reject(base::str_cat("rank ", options.rank, " is not one of ", options.workers, " workers"),
           base::str_cat("Set it to a number from 0 to ", options.workers - 1));
  }
}

}  // namespace

Part part_of(std::size_t total, std::size_t parts, std::size_t index) {
  const std::size_t base = total / parts;
  const std::size_t larger = total % parts;
  return {index * base + std::min(index, larger), base + (index < larger ? 1 : 0)};
}

BatchPlan::BatchPlan(const BatchPlanOptions& options) : options_(options) {
  validate(options);
  share_ = options.scope == BatchScope::kGlobal
               ? Part{0, options.examples}
               : part_of(options.examples, static_cast<std::size_t>(options.workers),
                         static_cast<std::size_t>(options.rank));
  const auto steps_of = [&](std::size_t examples) {
    return examples / options.batch_size + (examples % options.batch_size != 0 ? 1 : 0);
  };
  steps_ = steps_of(share_.count);
  // Rank 0's part is never smaller than another's.
  steps_max_ =
      options.scope == BatchScope::kGlobal
          ? steps_
          : steps_of(part_of(options.examples, static_cast<std::size_t>(options.workers), 0).count);
  order_.resize(options.examples);
  start_epoch(0);
}

void BatchPlan::start_epoch(std::uint64_t epoch) {
  std::iota(order_.begin(), order_.end(), std::uint64_t{0});
  if (!options_.shuffle) return;
  base::PhiloxStream random(options_.seed, kShuffleStream + epoch);
  for (std::size_t left = order_.size(); left > 1; --left) {
    std::swap(order_[left - 1], order_[random.below(left)]);
  }
}

std::span<const std::uint64_t> BatchPlan::batch(std::size_t step) const {
  assert(step < steps_max_);
  const std::size_t begin = std::min(share_.count, step * options_.batch_size);
  const std::size_t count = std::min(options_.batch_size, share_.count - begin);
  return std::span(order_).subspan(share_.begin + begin, count);
}

std::span<const std::uint64_t> BatchPlan::examples(std::size_t step) const {
  const std::span<const std::uint64_t> all = batch(step);
  if (options_.scope == BatchScope::kWorker) return all;
  const Part mine = part_of(all.size(), static_cast<std::size_t>(options_.workers),
                            static_cast<std::size_t>(options_.rank));
  return all.subspan(mine.begin, mine.count);
}

std::size_t BatchPlan::batch_size(std::size_t step) const { return batch(step).size(); }

}  // namespace dtrain::inline v0::data
