#include "ps/optimizer_message.h"

#include <tuple>

#include "dtrain/error.h"

namespace dtrain::inline v0::ps {
namespace {

namespace pb = ::dtrain_pb::ps;

/// A member of one of our structs beside the accessors of its message: one line writes and reads.
template <typename Struct, typename Member, typename Message>
struct Bound {
  Member Struct::*member;
  Member (Message::*get)() const;
  void (Message::*set)(Member);
};

template <typename Struct, typename Member, typename Message>
constexpr Bound<Struct, Member, Message> bind(Member Struct::*member,
                                              Member (Message::*get)() const,
                                              void (Message::*set)(Member)) {
  return {member, get, set};
}

/// Where a struct and its message have the same member.
#define DTRAIN_BIND(Struct, Message, name) \
  bind(&Struct::name, &pb::Message::name, &pb::Message::set_##name)

template <typename Struct>
struct Binding;

template <>
struct Binding<Sgd> {
  static constexpr auto kFields =
      std::tuple(DTRAIN_BIND(Sgd, Sgd, momentum), DTRAIN_BIND(Sgd, Sgd, nesterov),
                 DTRAIN_BIND(Sgd, Sgd, weight_decay));
};

template <>
struct Binding<Adagrad> {
  static constexpr auto kFields = std::tuple(
      DTRAIN_BIND(Adagrad, Adagrad, initial_accumulator_value),
      DTRAIN_BIND(Adagrad, Adagrad, epsilon), DTRAIN_BIND(Adagrad, Adagrad, weight_decay));
};

template <>
struct Binding<Adadelta> {
  static constexpr auto kFields =
      std::tuple(DTRAIN_BIND(Adadelta, Adadelta, rho), DTRAIN_BIND(Adadelta, Adadelta, epsilon),
                 DTRAIN_BIND(Adadelta, Adadelta, weight_decay));
};

template <>
struct Binding<RmsProp> {
  static constexpr auto kFields =
      std::tuple(DTRAIN_BIND(RmsProp, RmsProp, rho), DTRAIN_BIND(RmsProp, RmsProp, momentum),
                 DTRAIN_BIND(RmsProp, RmsProp, epsilon), DTRAIN_BIND(RmsProp, RmsProp, centered),
                 DTRAIN_BIND(RmsProp, RmsProp, weight_decay));
};

template <typename Kind>
struct AdamBinding {
  static constexpr auto kFields =
      std::tuple(DTRAIN_BIND(Kind, Adam, beta_1), DTRAIN_BIND(Kind, Adam, beta_2),
                 DTRAIN_BIND(Kind, Adam, epsilon), DTRAIN_BIND(Kind, Adam, amsgrad),
                 DTRAIN_BIND(Kind, Adam, weight_decay));
};
template <>
struct Binding<Adam> : AdamBinding<Adam> {};
template <>
struct Binding<AdamW> : AdamBinding<AdamW> {};

template <typename Kind>
struct AdamaxBinding {
  static constexpr auto kFields =
      std::tuple(DTRAIN_BIND(Kind, Adamax, beta_1), DTRAIN_BIND(Kind, Adamax, beta_2),
                 DTRAIN_BIND(Kind, Adamax, epsilon), DTRAIN_BIND(Kind, Adamax, weight_decay));
};
template <>
struct Binding<Adamax> : AdamaxBinding<Adamax> {};
template <>
struct Binding<Nadam> : AdamaxBinding<Nadam> {};

template <>
struct Binding<Ftrl> {
  static constexpr auto kFields =
      std::tuple(DTRAIN_BIND(Ftrl, Ftrl, learning_rate_power),
                 DTRAIN_BIND(Ftrl, Ftrl, initial_accumulator_value),
                 DTRAIN_BIND(Ftrl, Ftrl, l1_regularization_strength),
                 DTRAIN_BIND(Ftrl, Ftrl, l2_regularization_strength),
                 DTRAIN_BIND(Ftrl, Ftrl, l2_shrinkage_regularization_strength),
                 DTRAIN_BIND(Ftrl, Ftrl, beta), DTRAIN_BIND(Ftrl, Ftrl, weight_decay));
};

template <>
struct Binding<Lion> {
  static constexpr auto kFields =
      std::tuple(DTRAIN_BIND(Lion, Lion, beta_1), DTRAIN_BIND(Lion, Lion, beta_2),
                 DTRAIN_BIND(Lion, Lion, weight_decay));
};

template <typename Kind>
struct RateDecayBinding {
  static constexpr auto kFields =
      std::tuple(DTRAIN_BIND(Kind, RateDecay, initial_learning_rate),
                 DTRAIN_BIND(Kind, RateDecay, decay_steps),
                 DTRAIN_BIND(Kind, RateDecay, decay_rate), DTRAIN_BIND(Kind, RateDecay, staircase));
};
template <>
struct Binding<ExponentialDecay> : RateDecayBinding<ExponentialDecay> {};
template <>
struct Binding<InverseTimeDecay> : RateDecayBinding<InverseTimeDecay> {};

template <>
struct Binding<PolynomialDecay> {
  static constexpr auto kFields =
      std::tuple(DTRAIN_BIND(PolynomialDecay, PolynomialDecay, initial_learning_rate),
                 DTRAIN_BIND(PolynomialDecay, PolynomialDecay, decay_steps),
                 DTRAIN_BIND(PolynomialDecay, PolynomialDecay, end_learning_rate),
                 DTRAIN_BIND(PolynomialDecay, PolynomialDecay, power),
                 DTRAIN_BIND(PolynomialDecay, PolynomialDecay, cycle));
};

/// All but warmup_target, which may be absent.
template <>
struct Binding<CosineDecay> {
  static constexpr auto kFields =
      std::tuple(DTRAIN_BIND(CosineDecay, CosineDecay, initial_learning_rate),
                 DTRAIN_BIND(CosineDecay, CosineDecay, decay_steps),
                 DTRAIN_BIND(CosineDecay, CosineDecay, alpha),
                 DTRAIN_BIND(CosineDecay, CosineDecay, warmup_steps));
};

template <>
struct Binding<CosineDecayRestarts> {
  static constexpr auto kFields =
      std::tuple(DTRAIN_BIND(CosineDecayRestarts, CosineDecayRestarts, initial_learning_rate),
                 DTRAIN_BIND(CosineDecayRestarts, CosineDecayRestarts, first_decay_steps),
                 DTRAIN_BIND(CosineDecayRestarts, CosineDecayRestarts, t_mul),
                 DTRAIN_BIND(CosineDecayRestarts, CosineDecayRestarts, m_mul),
                 DTRAIN_BIND(CosineDecayRestarts, CosineDecayRestarts, alpha));
};

#undef DTRAIN_BIND

template <typename Struct, typename Message>
void write(const Struct& value, Message& message) {
  std::apply([&](const auto&... fields) { ((message.*fields.set)(value.*fields.member), ...); },
             Binding<Struct>::kFields);
}

template <typename Struct, typename Message>
Struct read(const Message& message) {
  Struct value;
  std::apply(
      [&](const auto&... fields) { ((value.*fields.member = (message.*fields.get)()), ...); },
      Binding<Struct>::kFields);
  return value;
}

struct ScheduleWriter {
  pb::Schedule& message;
  void operator()(float /*constant*/) const {}
  void operator()(const ExponentialDecay& decay) const {
    write(decay, *message.mutable_exponential());
  }
  void operator()(const PiecewiseConstantDecay& decay) const {
    auto& out = *message.mutable_piecewise_constant();
    out.mutable_boundaries()->Add(decay.boundaries.begin(), decay.boundaries.end());
    out.mutable_values()->Add(decay.values.begin(), decay.values.end());
  }
  void operator()(const PolynomialDecay& decay) const {
    write(decay, *message.mutable_polynomial());
  }
  void operator()(const InverseTimeDecay& decay) const {
    write(decay, *message.mutable_inverse_time());
  }
  void operator()(const CosineDecay& decay) const {
    write(decay, *message.mutable_cosine());
    if (decay.warmup_target) message.mutable_cosine()->set_warmup_target(*decay.warmup_target);
  }
  void operator()(const CosineDecayRestarts& decay) const {
    write(decay, *message.mutable_cosine_restarts());
  }
};

LearningRate schedule_from(const pb::Schedule& message) {
  switch (message.kind_case()) {
    case pb::Schedule::kExponential:
      return read<ExponentialDecay>(message.exponential());
    case pb::Schedule::kPiecewiseConstant: {
      const auto& decay = message.piecewise_constant();
      return PiecewiseConstantDecay{{decay.boundaries().begin(), decay.boundaries().end()},
                                    {decay.values().begin(), decay.values().end()}};
    }
    case pb::Schedule::kPolynomial:
      return read<PolynomialDecay>(message.polynomial());
    case pb::Schedule::kInverseTime:
      return read<InverseTimeDecay>(message.inverse_time());
    case pb::Schedule::kCosine: {
      auto decay = read<CosineDecay>(message.cosine());
      if (message.cosine().has_warmup_target()) {
        decay.warmup_target = message.cosine().warmup_target();
      }
      return decay;
    }
    case pb::Schedule::kCosineRestarts:
      return read<CosineDecayRestarts>(message.cosine_restarts());
    case pb::Schedule::KIND_NOT_SET:
      break;
  }
  throw Error(ErrorCode::kProtocol, "the declared schedule is unknown to this version");
}

struct OptimizerWriter {
  pb::Optimizer& message;
  template <typename Kind, typename Message>
  void fill(const Kind& kind, Message& out) const {
    write(kind, out);
    if (const float* constant = std::get_if<float>(&kind.learning_rate.kind())) {
      out.set_learning_rate(*constant);
    } else {
      std::visit(ScheduleWriter{*message.mutable_schedule()}, kind.learning_rate.kind());
    }
  }
  void operator()(const Sgd& kind) const { fill(kind, *message.mutable_sgd()); }
  void operator()(const Adagrad& kind) const { fill(kind, *message.mutable_adagrad()); }
  void operator()(const Adadelta& kind) const { fill(kind, *message.mutable_adadelta()); }
  void operator()(const RmsProp& kind) const { fill(kind, *message.mutable_rmsprop()); }
  void operator()(const Adam& kind) const { fill(kind, *message.mutable_adam()); }
  void operator()(const AdamW& kind) const { fill(kind, *message.mutable_adamw()); }
  void operator()(const Adamax& kind) const { fill(kind, *message.mutable_adamax()); }
  void operator()(const Nadam& kind) const { fill(kind, *message.mutable_nadam()); }
  void operator()(const Ftrl& kind) const { fill(kind, *message.mutable_ftrl()); }
  void operator()(const Lion& kind) const { fill(kind, *message.mutable_lion()); }
};

template <typename Kind, typename Message>
Kind optimizer_of(const pb::Optimizer& message, const Message& fields) {
  Kind kind = read<Kind>(fields);
  kind.learning_rate = message.has_schedule() ? schedule_from(message.schedule())
                                              : LearningRate(fields.learning_rate());
  return kind;
}

}  // namespace

void write_optimizer(const Optimizer& optimizer, pb::Optimizer& message) {
  std::visit(OptimizerWriter{message}, optimizer);
}

Optimizer optimizer_from(const pb::Optimizer& message) {
  switch (message.kind_case()) {
    case pb::Optimizer::kSgd:
      return optimizer_of<Sgd>(message, message.sgd());
    case pb::Optimizer::kAdagrad:
      return optimizer_of<Adagrad>(message, message.adagrad());
    case pb::Optimizer::kAdadelta:
      return optimizer_of<Adadelta>(message, message.adadelta());
    case pb::Optimizer::kRmsprop:
      return optimizer_of<RmsProp>(message, message.rmsprop());
    case pb::Optimizer::kAdam:
      return optimizer_of<Adam>(message, message.adam());
    case pb::Optimizer::kAdamw:
      return optimizer_of<AdamW>(message, message.adamw());
    case pb::Optimizer::kAdamax:
      return optimizer_of<Adamax>(message, message.adamax());
    case pb::Optimizer::kNadam:
      return optimizer_of<Nadam>(message, message.nadam());
    case pb::Optimizer::kFtrl:
      return optimizer_of<Ftrl>(message, message.ftrl());
    case pb::Optimizer::kLion:
      return optimizer_of<Lion>(message, message.lion());
    case pb::Optimizer::KIND_NOT_SET:
      break;
  }
  throw Error(ErrorCode::kProtocol, "the declared optimizer is unknown to this version");
}

void write_rules(const UpdateRules& rules, pb::Table& message) {
  if (rules.clipping != Clipping{}) {
    message.mutable_clipping()->set_value(rules.clipping.value);
    message.mutable_clipping()->set_norm(rules.clipping.norm);
    message.mutable_clipping()->set_global_norm(rules.clipping.global_norm);
  }
  for (const ParameterGroup& group : rules.groups) {
    pb::ParameterGroup& out = *message.add_groups();
    for (const std::string& name : group.variables) out.add_variables(name);
    out.set_learning_rate_factor(group.learning_rate_factor);
    out.set_weight_decay(group.weight_decay);
    out.set_frozen(group.frozen);
    out.set_statistics(group.statistics);
  }
}

UpdateRules rules_from(const pb::Table& message) {
  UpdateRules rules{.clipping = {.value = message.clipping().value(),
                                 .norm = message.clipping().norm(),
                                 .global_norm = message.clipping().global_norm()}};
  for (const pb::ParameterGroup& group : message.groups()) {
    rules.groups.push_back({.variables = {group.variables().begin(), group.variables().end()},
                            .learning_rate_factor = group.learning_rate_factor(),
                            .weight_decay = group.weight_decay(),
                            .frozen = group.frozen(),
                            .statistics = group.statistics()});
  }
  return rules;
}

}  // namespace dtrain::inline v0::ps
