#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "dtrain/alternative.h"
#include "dtrain/export.h"
#include "dtrain/learning_rate.h"

namespace dtrain::inline v0 {

// What turns a gradient g into a new value w. Names, formulas and defaults are Keras's
// (keras.optimizers); lr is learning_rate at this update, t the number of this update, from 1.
// All of it is element by element. Before its own formula each
// optimizer does `w -= w * weight_decay * lr` where weight_decay is above 0 (decoupled decay).
// docs/optimizers.md has what is kept per element and what servers make of it.

/// Gradient descent (SGD): without momentum `w -= lr * g`; with it `m = momentum * m - lr * g`,
/// then `w += m`, or with Nesterov `w += momentum * m - lr * g`.
struct Sgd {
  LearningRate learning_rate = 0.01F;
  float momentum = 0.0F;  ///< In [0, 1).
  bool nesterov = false;
  float weight_decay = 0.0F;  ///< At least 0, here and below.

  bool operator==(const Sgd&) const = default;
};

/// `a += g^2`, `w -= lr * g / sqrt(a + epsilon)`, where a begins as initial_accumulator_value.
struct Adagrad {
  LearningRate learning_rate = 0.001F;
  float initial_accumulator_value = 0.1F;  ///< At least 0.
  float epsilon = 1e-7F;                   ///< Above 0, here and below.
  float weight_decay = 0.0F;

  bool operator==(const Adagrad&) const = default;
};

/// `a = rho * a + (1 - rho) * g^2`, `d = -g * sqrt(x + epsilon) / sqrt(a + epsilon)`,
/// `x = rho * x + (1 - rho) * d^2`, `w += lr * d`.
struct Adadelta {
  LearningRate learning_rate = 0.001F;
  float rho = 0.95F;  ///< In [0, 1).
  float epsilon = 1e-7F;
  float weight_decay = 0.0F;

  bool operator==(const Adadelta&) const = default;
};

/// `v = rho * v + (1 - rho) * g^2`, `i = lr * g / sqrt(v + epsilon)`, where centered takes
/// `v - a^2` for v with `a = rho * a + (1 - rho) * g`; then `w -= i`, or with momentum
/// `m = momentum * m + i`, `w -= m`. Keras calls it RMSprop.
struct RmsProp {
  LearningRate learning_rate = 0.001F;
  float rho = 0.9F;       ///< In [0, 1).
  float momentum = 0.0F;  ///< In [0, 1).
  float epsilon = 1e-7F;
  bool centered = false;
  float weight_decay = 0.0F;

  bool operator==(const RmsProp&) const = default;
};

/// `alpha = lr * sqrt(1 - beta_2^t) / (1 - beta_1^t)`, `m += (g - m) * (1 - beta_1)`,
/// `v += (g^2 - v) * (1 - beta_2)`, `w -= alpha * m / (sqrt(v) + epsilon)`; amsgrad divides by the
/// largest v so far.
struct Adam {
  LearningRate learning_rate = 0.001F;
  float beta_1 = 0.9F;    ///< In [0, 1).
  float beta_2 = 0.999F;  ///< In [0, 1).
  float epsilon = 1e-7F;
  bool amsgrad = false;
  float weight_decay = 0.0F;

  bool operator==(const Adam&) const = default;
};

/// Adam with a weight decay by default.
struct AdamW {
  LearningRate learning_rate = 0.001F;
  float beta_1 = 0.9F;    ///< In [0, 1).
  float beta_2 = 0.999F;  ///< In [0, 1).
  float epsilon = 1e-7F;
  bool amsgrad = false;
  float weight_decay = 0.004F;

  bool operator==(const AdamW&) const = default;
};

/// `m += (g - m) * (1 - beta_1)`, `u = max(beta_2 * u, |g|)`,
/// `w -= lr * m / ((1 - beta_1^t) * (u + epsilon))`.
struct Adamax {
  LearningRate learning_rate = 0.001F;
  float beta_1 = 0.9F;    ///< In [0, 1).
  float beta_2 = 0.999F;  ///< In [0, 1).
  float epsilon = 1e-7F;
  float weight_decay = 0.0F;

  bool operator==(const Adamax&) const = default;
};

/// Adam with Nesterov's momentum: with `u_t = beta_1 * (1 - 0.96^t / 2)` and `U_t` the product of
/// u_1 to u_t, m and v as Adam's, `n = u_(t+1) * m / (1 - U_(t+1)) + (1 - u_t) * g / (1 - U_t)`,
/// `w -= lr * n / (sqrt(v / (1 - beta_2^t)) + epsilon)`.
struct Nadam {
  LearningRate learning_rate = 0.001F;
  float beta_1 = 0.9F;    ///< In [0, 1).
  float beta_2 = 0.999F;  ///< In [0, 1).
  float epsilon = 1e-7F;
  float weight_decay = 0.0F;

  bool operator==(const Nadam&) const = default;
};

/// Follow the regularized leader. With `p = -learning_rate_power` and
/// `b = a + g^2`: `z += g + 2 * l2_shrinkage * w - (b^p - a^p) / lr * w`, `a = b`,
/// `w = (clip(z, -l1, l1) - z) / (a^p / lr + 2 * l2 + beta / lr)`, where a begins as
/// initial_accumulator_value. A rate of 0 changes nothing.
struct Ftrl {
  LearningRate learning_rate = 0.001F;
  float learning_rate_power = -0.5F;                  ///< At most 0.
  float initial_accumulator_value = 0.1F;             ///< At least 0, as all below.
  float l1_regularization_strength = 0.0F;            ///< l1
  float l2_regularization_strength = 0.0F;            ///< l2
  float l2_shrinkage_regularization_strength = 0.0F;  ///< l2_shrinkage
  float beta = 0.0F;
  float weight_decay = 0.0F;

  bool operator==(const Ftrl&) const = default;
};

/// `w -= lr * sign(beta_1 * m + (1 - beta_1) * g)`, then `m = beta_2 * m + (1 - beta_2) * g`.
struct Lion {
  LearningRate learning_rate = 0.001F;
  float beta_1 = 0.9F;   ///< In (0, 1].
  float beta_2 = 0.99F;  ///< In [0, 1).
  float weight_decay = 0.0F;

  bool operator==(const Lion&) const = default;
};

using OptimizerKind =
    std::variant<Sgd, Adagrad, Adadelta, RmsProp, Adam, AdamW, Adamax, Nadam, Ftrl, Lion>;

/// What turns gradients into updates: one of the structs above, or Keras's identifier of one, which
/// has the defaults ("sgd", "adam"). One implementation serves local training and servers.
class DTRAIN_EXPORT Optimizer : public OptimizerKind {
 public:
  Optimizer() = default;
  template <AlternativeOf<OptimizerKind> Kind>
  Optimizer(Kind kind) : OptimizerKind(std::move(kind)) {}  // NOLINT(google-explicit-constructor)
  /// Throws invalid_argument that lists the names there are.
  template <Identifier Name>
  Optimizer(const Name& identifier)  // NOLINT(google-explicit-constructor)
      : OptimizerKind(named(identifier)) {}

 private:
  static OptimizerKind named(std::string_view identifier);
};

/// Throws invalid_argument that names the field, its value and what is allowed.
DTRAIN_EXPORT void validate(const Optimizer& optimizer);

/// `Adam(learning_rate=0.001, beta_1=0.9, ...)`, for messages and logs.
DTRAIN_EXPORT std::string to_string(const Optimizer& optimizer);

}  // namespace dtrain::inline v0
