#pragma once

namespace dtrain::inline v0 {

/// Adds `l1 * sum(|w|) + l2 * sum(w^2)` to the loss (keras.regularizers.L1L2).
struct Regularizer {
  float l1 = 0.0F;  ///< At least 0.
  float l2 = 0.0F;  ///< At least 0.

  bool operator==(const Regularizer&) const = default;
};

}  // namespace dtrain::inline v0
