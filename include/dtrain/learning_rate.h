#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "dtrain/export.h"

namespace dtrain::inline v0 {

// Learning rates that change with the step, with Keras's formulas (keras.optimizers.schedules).
// `step` counts the updates before this one: it is 0 for the first.

/// `initial_learning_rate * decay_rate ^ (step / decay_steps)`; with `staircase` the quotient is
/// rounded down.
struct ExponentialDecay {
  float initial_learning_rate = 0.0F;
  std::int64_t decay_steps = 0;  ///< At least 1.
  float decay_rate = 0.0F;       ///< Above 0.
  bool staircase = false;

  bool operator==(const ExponentialDecay&) const = default;
};

/// `values[i]`, where i is how many boundaries lie below `step` (a step that equals a boundary
/// still has the value before it).
struct PiecewiseConstantDecay {
  std::vector<std::int64_t> boundaries;  ///< Rising.
  std::vector<float> values;             ///< One more than boundaries.

  bool operator==(const PiecewiseConstantDecay&) const = default;
};

/// `(initial - end) * (1 - step / decay_steps) ^ power + end`. Behind decay_steps it stays at the
/// end, or with `cycle` decay_steps is taken as the next multiple of itself.
struct PolynomialDecay {
  float initial_learning_rate = 0.0F;
  std::int64_t decay_steps = 0;  ///< At least 1.
  float end_learning_rate = 0.0001F;
  float power = 1.0F;  ///< At least 0.
  bool cycle = false;

  bool operator==(const PolynomialDecay&) const = default;
};

/// `initial_learning_rate / (1 + decay_rate * step / decay_steps)`; with `staircase` the quotient
/// `step / decay_steps` is rounded down.
struct InverseTimeDecay {
  float initial_learning_rate = 0.0F;
  std::int64_t decay_steps = 0;  ///< At least 1.
  float decay_rate = 0.0F;       ///< Above 0.
  bool staircase = false;

  bool operator==(const InverseTimeDecay&) const = default;
};

/// Half a cosine from the initial rate down to `alpha` times it over `decay_steps`. With a
/// `warmup_target` the rate first rises in a line from the initial one to the target over
/// `warmup_steps`, and then falls from the target.
struct CosineDecay {
  float initial_learning_rate = 0.0F;
  std::int64_t decay_steps = 0;  ///< At least 1.
  float alpha = 0.0F;
  std::optional<float> warmup_target = {};
  std::int64_t warmup_steps = 0;

  bool operator==(const CosineDecay&) const = default;
};

/// Half cosines one after the other: the first over `first_decay_steps`, each next one over
/// `t_mul` times as many steps, from `m_mul` times as high.
struct CosineDecayRestarts {
  float initial_learning_rate = 0.0F;
  std::int64_t first_decay_steps = 0;  ///< At least 1.
  float t_mul = 2.0F;                  ///< At least 1.
  float m_mul = 1.0F;
  float alpha = 0.0F;

  bool operator==(const CosineDecayRestarts&) const = default;
};

/// A constant or a schedule; whatever of them is given converts to it.
class DTRAIN_EXPORT LearningRate {
 public:
  using Kind = std::variant<float, ExponentialDecay, PiecewiseConstantDecay, PolynomialDecay,
                            InverseTimeDecay, CosineDecay, CosineDecayRestarts>;

  LearningRate(float constant) : kind_(constant) {}  // NOLINT(google-explicit-constructor)
  template <typename Schedule>
  requires(std::is_class_v<Schedule>&& std::is_constructible_v<Kind, Schedule>)
      LearningRate(Schedule schedule)  // NOLINT(google-explicit-constructor)
      : kind_(std::move(schedule)) {}

  /// The rate of an update with `step` (0 or more) updates before it, computed in double.
  double at(std::int64_t step) const;

  const Kind& kind() const { return kind_; }
  bool operator==(const LearningRate&) const = default;

 private:
  Kind kind_;
};

/// `0.001`, or `CosineDecay(initial_learning_rate=0.1, decay_steps=1000, ...)`.
DTRAIN_EXPORT std::string to_string(const LearningRate& learning_rate);

}  // namespace dtrain::inline v0
