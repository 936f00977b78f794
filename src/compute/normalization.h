#pragma once

#include <span>

#include "compute/matrix.h"

namespace dtrain::inline v0::compute {

/// Normalises each column by the mean and the (biased) variance of its rows:
/// out = (in - mean) / sqrt(variance + epsilon) * gamma + beta. Keras's BatchNormalization over
/// the last axis, in training.
struct BatchNormalizationPass {
  ConstMatrix in;                     ///< At least one row.
  std::span<const float> gamma = {};  ///< One per column, or empty: 1.
  std::span<const float> beta = {};   ///< The same: 0.
  float epsilon = 1e-3F;
  std::span<float> mean;      ///< One per column: written,
  std::span<float> variance;  ///< as this.
  Matrix out;                 ///< Not `in`, which the backward pass reads.
};

/// The same with a mean and variance that are given.
struct BatchInferencePass {
  ConstMatrix in;
  std::span<const float> gamma = {};
  std::span<const float> beta = {};
  float epsilon = 1e-3F;
  std::span<const float> mean;
  std::span<const float> variance;
  Matrix out;  ///< May be `in`.
};

struct BatchNormalizationBackwardPass {
  ConstMatrix in;
  std::span<const float> gamma = {};
  float epsilon = 1e-3F;
  std::span<const float> mean;
  std::span<const float> variance;
  /// The forward pass computed mean and variance from `in`; false where they were given.
  bool batch_statistics = true;
  ConstMatrix out_gradient;
  std::span<float> gamma_gradient = {};  ///< Empty: not wanted.
  std::span<float> beta_gradient = {};
  Matrix in_gradient = {};  ///< Without data: not wanted. May be out_gradient.
};

/// Normalises each row by its own mean and variance, then scales columns: Keras's
/// LayerNormalization over the last axis.
struct LayerNormalizationPass {
  ConstMatrix in;
  std::span<const float> gamma = {};  ///< One per column, or empty: 1.
  std::span<const float> beta = {};   ///< The same: 0.
  float epsilon = 1e-3F;
  /// For the backward pass, one per row, or both empty.
  std::span<float> mean = {};
  std::span<float> inverse_deviation = {};
  Matrix out;  ///< Not `in`.
};

struct LayerNormalizationBackwardPass {
  ConstMatrix in;
  std::span<const float> gamma = {};
  std::span<const float> mean;
  std::span<const float> inverse_deviation;
  ConstMatrix out_gradient;
  std::span<float> gamma_gradient = {};  ///< Empty: not wanted.
  std::span<float> beta_gradient = {};
  Matrix in_gradient = {};  ///< Without data: not wanted. May be out_gradient.
};

/// Rows of length 1: out = in min(1 / |in|, 10^7), Keras's normalize().
struct UnitRowsPass {
  ConstMatrix in;
  Matrix out;  ///< Not `in`.
};

struct UnitRowsBackwardPass {
  ConstMatrix in;
  ConstMatrix out_gradient;
  Matrix in_gradient;  ///< Not `in`; may be out_gradient.
};

}  // namespace dtrain::inline v0::compute
