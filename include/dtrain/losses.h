#pragma once

#include <string_view>
#include <utility>
#include <variant>

#include "dtrain/alternative.h"
#include "dtrain/export.h"

namespace dtrain::inline v0 {

// Keras's losses (keras.losses) with its formulas and defaults. A batch's loss is the sum of its
// examples' losses, each times the example's weight where there are weights, divided by the number
// of examples (Keras's reduction "sum_over_batch_size"): not by the sum of the weights.
//
// The model's output is (classes) per example for the categorical cross-entropies. After a final
// softmax (categorical) or sigmoid (binary) and with `from_logits = false` loss and gradient are
// computed from what goes into it, as Keras does, so that they are exact for large logits.

/// Targets: one class index per example.
struct SparseCategoricalCrossentropy {
  bool from_logits = false;  ///< The model's outputs are not yet probabilities.
  bool operator==(const SparseCategoricalCrossentropy&) const = default;
};

/// Targets: float32 class probabilities of the output's shape (one-hot, or soft).
struct CategoricalCrossentropy {
  bool from_logits = false;  ///< The model's outputs are not yet probabilities.
  /// In [0, 1): a target t counts as t * (1 - label_smoothing) + label_smoothing / classes.
  float label_smoothing = 0.0F;
  bool operator==(const CategoricalCrossentropy&) const = default;
};

/// Mean over the outputs, each of which says how probable a yes is. Targets: numbers from 0 to 1 of
/// the output's shape, float32 or integers.
struct BinaryCrossentropy {
  bool from_logits = false;  ///< The model's outputs are not yet probabilities.
  /// In [0, 1): a target t counts as t * (1 - label_smoothing) + label_smoothing / 2.
  float label_smoothing = 0.0F;
  bool operator==(const BinaryCrossentropy&) const = default;
};

/// Mean of (output - target)^2. Targets: float32 of the output's shape, here and below.
struct MeanSquaredError {
  bool operator==(const MeanSquaredError&) const = default;
};

/// Mean of |output - target|.
struct MeanAbsoluteError {
  bool operator==(const MeanAbsoluteError&) const = default;
};

/// Mean of e^2 / 2 where |e| = |output - target| is at most `delta`, else of
/// delta * |e| - delta^2 / 2.
struct Huber {
  float delta = 1.0F;  ///< Above 0.
  bool operator==(const Huber&) const = default;
};

using LossKind = std::variant<SparseCategoricalCrossentropy, CategoricalCrossentropy,
                              BinaryCrossentropy, MeanSquaredError, MeanAbsoluteError, Huber>;

/// One of the structs above, or Keras's identifier of one, which has the defaults:
/// "mean_squared_error", "mse", "binary_crossentropy".
class DTRAIN_EXPORT Loss : public LossKind {
 public:
  Loss() = default;
  template <AlternativeOf<LossKind> Kind>
  Loss(Kind kind) : LossKind(std::move(kind)) {}  // NOLINT(google-explicit-constructor)
  /// Throws invalid_argument that lists the names there are.
  template <Identifier Name>
  Loss(const Name& identifier)  // NOLINT(google-explicit-constructor)
      : LossKind(named(identifier)) {}

 private:
  static LossKind named(std::string_view identifier);
};

/// Keras's identifier: "sparse_categorical_crossentropy". Static storage.
DTRAIN_EXPORT std::string_view loss_name(const Loss& loss) noexcept;

}  // namespace dtrain::inline v0
