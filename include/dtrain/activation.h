#pragma once

#include <string_view>

#include "dtrain/export.h"

namespace dtrain::inline v0 {

/// Keras's activations (keras.activations) with its default constants.
enum class Activation {
  kLinear,       ///< x
  kRelu,         ///< max(x, 0)
  kRelu6,        ///< min(max(x, 0), 6)
  kLeakyRelu,    ///< x, or 0.2 x below 0
  kElu,          ///< x, or exp(x) - 1 below 0
  kSelu,         ///< elu with its two fixed scales
  kCelu,         ///< x, or a (exp(x / a) - 1) below 0, with a = 1
  kGelu,         ///< x P(X <= x) for X from the standard normal distribution
  kGeluTanh,     ///< x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))): gelu, approximate=True
  kSilu,         ///< x sigmoid(x), also called swish
  kHardSilu,     ///< x hard_sigmoid(x), also called hard_swish
  kMish,         ///< x tanh(softplus(x))
  kSigmoid,      ///< 1 / (1 + exp(-x))
  kHardSigmoid,  ///< relu6(x + 3) / 6
  kLogSigmoid,   ///< log(sigmoid(x))
  kTanh,
  kHardTanh,     ///< min(max(x, -1), 1)
  kSoftplus,     ///< log(1 + exp(x))
  kSoftsign,     ///< x / (1 + |x|)
  kExponential,  ///< exp(x)
  kLogSoftmax,   ///< log(softmax(x))
  kSoftmax,      ///< exp(x) / sum(exp(x)) over the last dimension
};

/// Keras's identifier: "relu", "hard_sigmoid"; "gelu_tanh" for kGeluTanh. Static storage.
DTRAIN_EXPORT std::string_view activation_name(Activation activation) noexcept;

/// The activation of an identifier, Keras's other names ("swish", "hard_swish") among them. Throws
/// invalid_argument, with all names, for what is none.
DTRAIN_EXPORT Activation activation_from_name(std::string_view name);

}  // namespace dtrain::inline v0
