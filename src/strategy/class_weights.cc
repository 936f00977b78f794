#include "strategy/class_weights.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <type_traits>

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::strategy {
namespace {

/// The class that a row of targets stands for.
template <typename T>
std::int64_t class_of(std::span<const T> row) {
  if (row.size() > 1) return std::ranges::max_element(row) - row.begin();
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<std::int64_t>(std::nearbyint(row[0]));  // halves to even, as NumPy
  } else {
    return row[0];
  }
}

}  // namespace

template <typename T>
void ClassWeights::weigh_targets(const tensor::View& targets) {
  const std::span<const T> all = targets.as<T>();
  const std::size_t width = all.size() / of_batch_.size();
  for (std::size_t i = 0; i < of_batch_.size(); ++i) {
    const auto found = weights_.find(class_of(all.subspan(i * width, width)));
    of_batch_[i] = found == weights_.end() ? 1.0F : found->second;
  }
}

const tensor::Batch& ClassWeights::weigh(const tensor::Batch& batch) {
  if (batch.weights.data != nullptr) {
    throw Error(ErrorCode::kInvalidArgument,
                "FitOptions::class_weight is given, and the examples have weights of their own",
                "Multiply the examples' weights by those of their classes");
  }
  if (batch.targets.size() != 1) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("FitOptions::class_weight is given, and the examples have ",
                              batch.targets.size(), " targets"),
                "Give examples weights of their own instead");
  }
  batch_ = batch;
  of_batch_.assign(batch.size, 1.0F);
  const tensor::View& targets = batch.targets.front();
  if (targets.count >= batch.size) {
    if (targets.dtype == DType::kFloat32) weigh_targets<float>(targets);
    if (targets.dtype == DType::kInt32) weigh_targets<std::int32_t>(targets);
    if (targets.dtype == DType::kInt64) weigh_targets<std::int64_t>(targets);
  }
  batch_.weights.dtype = DType::kFloat32;
  batch_.weights.shape.assign(1, static_cast<std::int64_t>(batch.size));
  batch_.weights.data = of_batch_.data();
  batch_.weights.count = of_batch_.size();
  return batch_;
}

}  // namespace dtrain::inline v0::strategy
