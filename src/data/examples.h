#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dtrain/dataset.h"
#include "dtrain/variable.h"

namespace dtrain::inline v0::data {

/// What a Dataset holds.
struct Examples {
  std::size_t count = 0;
  Shape feature_shape;                         ///< Of one example.
  std::vector<float> features;                 ///< count * element_count(feature_shape), or empty:
  std::vector<std::int64_t> integer_features;  ///< as many integers instead.
  LabelKind label_kind = LabelKind::kNone;
  Shape target_shape;                ///< Of one example, for kValue.
  std::vector<std::int32_t> labels;  ///< count for kClassId, else empty.
  std::vector<float> targets;  ///< count * element_count(target_shape) for kValue, else empty.
};

}  // namespace dtrain::inline v0::data
