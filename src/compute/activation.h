#pragma once

#include <optional>

#include "compute/matrix.h"
#include "dtrain/activation.h"

namespace dtrain::inline v0::compute {

/// Over the last dimension, where one output depends on all inputs of its row.
constexpr bool activation_is_over_rows(Activation activation) {
  return activation == Activation::kSoftmax || activation == Activation::kLogSoftmax;
}

/// The output alone does not tell the slope: the backward pass needs the input, which a forward
/// pass in place would have destroyed.
constexpr bool activation_backward_needs_input(Activation activation) {
  switch (activation) {
    case Activation::kGelu:
    case Activation::kGeluTanh:
    case Activation::kSilu:
    case Activation::kHardSilu:
    case Activation::kMish:
      return true;
    default:
      return false;
  }
}

/// A product may apply it to its result in training: elementwise, and the result is enough for the
/// backward pass.
constexpr bool activation_can_be_fused(Activation activation) {
  return !activation_is_over_rows(activation) && !activation_backward_needs_input(activation);
}

/// The slope of kLeakyRelu, the alpha of kElu and kCelu, when nothing else is said; 0 for the
/// others, which have none.
constexpr float activation_default_constant(Activation activation) {
  if (activation == Activation::kLeakyRelu) return 0.2F;
  return activation == Activation::kElu || activation == Activation::kCelu ? 1.0F : 0.0F;
}

/// out = activation(in), over columns for those over rows.
struct ActivationPass {
  Activation activation = Activation::kLinear;
  /// The slope of kLeakyRelu (not negative), the alpha of kElu and kCelu (positive); empty for
  /// Keras's default.
  std::optional<float> constant = {};
  ConstMatrix in;
  Matrix out;  ///< May be `in`, but see activation_backward_needs_input().
};

/// in_gradient from out = activation(in) and out_gradient.
struct ActivationBackwardPass {
  Activation activation = Activation::kLinear;
  std::optional<float> constant = {};  ///< As forward.
  ConstMatrix in;                      ///< Read where activation_backward_needs_input().
  ConstMatrix out;                     ///< Read where not.
  ConstMatrix out_gradient;
  Matrix in_gradient;  ///< May be out_gradient.
};

}  // namespace dtrain::inline v0::compute
