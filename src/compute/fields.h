#pragma once

#include <tuple>

#include "dtrain/optimizer.h"

namespace dtrain::inline v0::compute {

/// Which values a field may have. Numbers are always finite.
enum class Allowed {
  kAny,
  kNotNegative,
  kNotPositive,
  kPositive,
  kAtLeastOne,
  kFraction,      ///< In [0, 1).
  kUnitInterval,  ///< In (0, 1].
};

template <typename Struct, typename Member>
struct Field {
  const char* name;
  Member Struct::*member;
  Allowed allowed;
};

template <typename Struct, typename Member>
constexpr Field<Struct, Member> field(const char* name, Member Struct::*member,
                                      Allowed allowed = Allowed::kAny) {
  return {name, member, allowed};
}

/// The one description of an option struct, which checks and texts are made from: `kName` and
/// `kFields`, in the order of the struct.
template <typename Struct>
struct Described;

/// Calls `visit(name, value, allowed)` for each field of a described struct.
template <typename Struct, typename Visit>
void for_each_field(const Struct& value, const Visit& visit) {
  std::apply(
      [&](const auto&... fields) {
        (visit(fields.name, value.*(fields.member), fields.allowed), ...);
      },
      Described<Struct>::kFields);
}

template <>
struct Described<ExponentialDecay> {
  static constexpr const char* kName = "ExponentialDecay";
  static constexpr auto kFields =
      std::tuple(field("initial_learning_rate", &ExponentialDecay::initial_learning_rate,
                       Allowed::kNotNegative),
                 field("decay_steps", &ExponentialDecay::decay_steps, Allowed::kAtLeastOne),
                 field("decay_rate", &ExponentialDecay::decay_rate, Allowed::kPositive),
                 field("staircase", &ExponentialDecay::staircase));
};

template <>
struct Described<PiecewiseConstantDecay> {
  static constexpr const char* kName = "PiecewiseConstantDecay";
  static constexpr auto kFields =
      std::tuple(field("boundaries", &PiecewiseConstantDecay::boundaries, Allowed::kNotNegative),
                 field("values", &PiecewiseConstantDecay::values, Allowed::kNotNegative));
};

template <>
struct Described<PolynomialDecay> {
  static constexpr const char* kName = "PolynomialDecay";
  static constexpr auto kFields = std::tuple(
      field("initial_learning_rate", &PolynomialDecay::initial_learning_rate,
            Allowed::kNotNegative),
      field("decay_steps", &PolynomialDecay::decay_steps, Allowed::kAtLeastOne),
      field("end_learning_rate", &PolynomialDecay::end_learning_rate, Allowed::kNotNegative),
      field("power", &PolynomialDecay::power, Allowed::kNotNegative),
      field("cycle", &PolynomialDecay::cycle));
};

template <>
struct Described<InverseTimeDecay> {
  static constexpr const char* kName = "InverseTimeDecay";
  static constexpr auto kFields =
      std::tuple(field("initial_learning_rate", &InverseTimeDecay::initial_learning_rate,
                       Allowed::kNotNegative),
                 field("decay_steps", &InverseTimeDecay::decay_steps, Allowed::kAtLeastOne),
                 field("decay_rate", &InverseTimeDecay::decay_rate, Allowed::kPositive),
                 field("staircase", &InverseTimeDecay::staircase));
};

template <>
struct Described<CosineDecay> {
  static constexpr const char* kName = "CosineDecay";
  static constexpr auto kFields = std::tuple(
      field("initial_learning_rate", &CosineDecay::initial_learning_rate, Allowed::kNotNegative),
      field("decay_steps", &CosineDecay::decay_steps, Allowed::kAtLeastOne),
      field("alpha", &CosineDecay::alpha, Allowed::kNotNegative),
      field("warmup_target", &CosineDecay::warmup_target, Allowed::kNotNegative),
      field("warmup_steps", &CosineDecay::warmup_steps, Allowed::kNotNegative));
};

template <>
struct Described<CosineDecayRestarts> {
  static constexpr const char* kName = "CosineDecayRestarts";
  static constexpr auto kFields = std::tuple(
      field("initial_learning_rate", &CosineDecayRestarts::initial_learning_rate,
            Allowed::kNotNegative),
      field("first_decay_steps", &CosineDecayRestarts::first_decay_steps, Allowed::kAtLeastOne),
      field("t_mul", &CosineDecayRestarts::t_mul, Allowed::kAtLeastOne),
      field("m_mul", &CosineDecayRestarts::m_mul, Allowed::kNotNegative),
      field("alpha", &CosineDecayRestarts::alpha, Allowed::kNotNegative));
};

/// What every optimizer has.
template <typename Kind>
constexpr auto rate_field() {
  return field("learning_rate", &Kind::learning_rate, Allowed::kNotNegative);
}
template <typename Kind>
constexpr auto decay_field() {
  return field("weight_decay", &Kind::weight_decay, Allowed::kNotNegative);
}

template <>
struct Described<Sgd> {
  static constexpr const char* kName = "Sgd";
  static constexpr auto kFields =
      std::tuple(rate_field<Sgd>(), field("momentum", &Sgd::momentum, Allowed::kFraction),
                 field("nesterov", &Sgd::nesterov), decay_field<Sgd>());
};

template <>
struct Described<Adagrad> {
  static constexpr const char* kName = "Adagrad";
  static constexpr auto kFields =
      std::tuple(rate_field<Adagrad>(),
                 field("initial_accumulator_value", &Adagrad::initial_accumulator_value,
                       Allowed::kNotNegative),
                 field("epsilon", &Adagrad::epsilon, Allowed::kPositive), decay_field<Adagrad>());
};

template <>
struct Described<Adadelta> {
  static constexpr const char* kName = "Adadelta";
  static constexpr auto kFields =
      std::tuple(rate_field<Adadelta>(), field("rho", &Adadelta::rho, Allowed::kFraction),
                 field("epsilon", &Adadelta::epsilon, Allowed::kPositive), decay_field<Adadelta>());
};

template <>
struct Described<RmsProp> {
  static constexpr const char* kName = "RmsProp";
  static constexpr auto kFields =
      std::tuple(rate_field<RmsProp>(), field("rho", &RmsProp::rho, Allowed::kFraction),
                 field("momentum", &RmsProp::momentum, Allowed::kFraction),
                 field("epsilon", &RmsProp::epsilon, Allowed::kPositive),
                 field("centered", &RmsProp::centered), decay_field<RmsProp>());
};

/// Of the optimizers that have Adam's fields.
template <typename Kind>
constexpr auto beta_fields() {
  return std::tuple(rate_field<Kind>(), field("beta_1", &Kind::beta_1, Allowed::kFraction),
                    field("beta_2", &Kind::beta_2, Allowed::kFraction),
                    field("epsilon", &Kind::epsilon, Allowed::kPositive));
}
template <typename Kind>
constexpr auto adam_fields() {
  return std::tuple_cat(beta_fields<Kind>(),
                        std::tuple(field("amsgrad", &Kind::amsgrad), decay_field<Kind>()));
}

template <>
struct Described<Adam> {
  static constexpr const char* kName = "Adam";
  static constexpr auto kFields = adam_fields<Adam>();
};

template <>
struct Described<AdamW> {
  static constexpr const char* kName = "AdamW";
  static constexpr auto kFields = adam_fields<AdamW>();
};

template <>
struct Described<Adamax> {
  static constexpr const char* kName = "Adamax";
  static constexpr auto kFields =
      std::tuple_cat(beta_fields<Adamax>(), std::tuple(decay_field<Adamax>()));
};

template <>
struct Described<Nadam> {
  static constexpr const char* kName = "Nadam";
  static constexpr auto kFields =
      std::tuple_cat(beta_fields<Nadam>(), std::tuple(decay_field<Nadam>()));
};

template <>
struct Described<Ftrl> {
  static constexpr const char* kName = "Ftrl";
  static constexpr auto kFields = std::tuple(
      rate_field<Ftrl>(),
      field("learning_rate_power", &Ftrl::learning_rate_power, Allowed::kNotPositive),
      field("initial_accumulator_value", &Ftrl::initial_accumulator_value, Allowed::kNotNegative),
      field("l1_regularization_strength", &Ftrl::l1_regularization_strength, Allowed::kNotNegative),
      field("l2_regularization_strength", &Ftrl::l2_regularization_strength, Allowed::kNotNegative),
      field("l2_shrinkage_regularization_strength", &Ftrl::l2_shrinkage_regularization_strength,
            Allowed::kNotNegative),
      field("beta", &Ftrl::beta, Allowed::kNotNegative), decay_field<Ftrl>());
};

template <>
struct Described<Lion> {
  static constexpr const char* kName = "Lion";
  static constexpr auto kFields =
      std::tuple(rate_field<Lion>(), field("beta_1", &Lion::beta_1, Allowed::kUnitInterval),
                 field("beta_2", &Lion::beta_2, Allowed::kFraction), decay_field<Lion>());
};

}  // namespace dtrain::inline v0::compute
