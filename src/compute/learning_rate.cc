#include "dtrain/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/strings.h"
#include "compute/describe.h"
#include "dtrain/error.h"

namespace dtrain::inline v0 {
namespace {

double rate(float constant, double /*step*/) { return static_cast<double>(constant); }

double rate(const ExponentialDecay& decay, double step) {
  const double part = step / static_cast<double>(decay.decay_steps);
  return static_cast<double>(decay.initial_learning_rate) *
         std::pow(static_cast<double>(decay.decay_rate), decay.staircase ? std::floor(part) : part);
}

double rate(const PiecewiseConstantDecay& decay, double step) {
  const auto at = std::ranges::lower_bound(decay.boundaries, step, {}, [](std::int64_t boundary) {
    return static_cast<double>(boundary);
  });
  return static_cast<double>(decay.values[static_cast<std::size_t>(at - decay.boundaries.begin())]);
}

double rate(const PolynomialDecay& decay, double step) {
  const double end = static_cast<double>(decay.end_learning_rate);
  double steps = static_cast<double>(decay.decay_steps);
  if (decay.cycle) {
    steps *= std::max(1.0, std::ceil(step / steps));
  } else {
    step = std::min(step, steps);
  }
  const double left = std::pow(1.0 - step / steps, static_cast<double>(decay.power));
  return (static_cast<double>(decay.initial_learning_rate) - end) * left + end;
}

double rate(const InverseTimeDecay& decay, double step) {
  const double part = step / static_cast<double>(decay.decay_steps);
  return static_cast<double>(decay.initial_learning_rate) /
         (1.0 +
          static_cast<double>(decay.decay_rate) * (decay.staircase ? std::floor(part) : part));
}

/// From 1 down to `alpha` while `part` goes from 0 to 1, `height` times as high.
double half_cosine(double part, double height, float alpha) {
  const double floor = static_cast<double>(alpha);
  return (1.0 - floor) * (0.5 * height * (1.0 + std::cos(std::numbers::pi * part))) + floor;
}

double rate(const CosineDecay& decay, double step) {
  const double steps = static_cast<double>(decay.decay_steps);
  double from = static_cast<double>(decay.initial_learning_rate);
  if (decay.warmup_target) {
    const double target = static_cast<double>(*decay.warmup_target);
    const double warmup = static_cast<double>(decay.warmup_steps);
    if (step < warmup) return (target - from) * (step / warmup) + from;
    from = target;
    step -= warmup;
  }
  return from * half_cosine(std::min(step, steps) / steps, 1.0, decay.alpha);
}

double rate(const CosineDecayRestarts& decay, double step) {
  const double periods = step / static_cast<double>(decay.first_decay_steps);
  const double t_mul = static_cast<double>(decay.t_mul);
  double restarts = std::floor(periods);
  double part = periods - restarts;
  if (t_mul > 1.0) {
    // Restart i begins after 1 + t_mul + ... + t_mul^(i - 1) first periods. The logarithm may round
    // to the wrong side of a restart.
    const auto begin = [&](double i) { return (std::pow(t_mul, i) - 1.0) / (t_mul - 1.0); };
    restarts = std::floor(std::log1p(periods * (t_mul - 1.0)) / std::log(t_mul));
    if (periods < begin(restarts)) restarts -= 1.0;
    if (periods >= begin(restarts + 1.0)) restarts += 1.0;
    part = (periods - begin(restarts)) / std::pow(t_mul, restarts);
  }
  const double height = std::pow(static_cast<double>(decay.m_mul), restarts);
  return static_cast<double>(decay.initial_learning_rate) * half_cosine(part, height, decay.alpha);
}

void check_more(const PiecewiseConstantDecay& decay) {
  const auto refuse = [](const std::string& what, const char* advice) {
    throw Error(ErrorCode::kInvalidArgument, base::str_cat("PiecewiseConstantDecay::", what),
                advice);
  };
  if (decay.values.size() != decay.boundaries.size() + 1) {
    refuse(base::str_cat("values has ", decay.values.size(), " numbers for ",
                         decay.boundaries.size(), " boundaries"),
           "Give one value more than boundaries");
  }
  for (std::size_t i = 1; i < decay.boundaries.size(); ++i) {
    if (decay.boundaries[i] > decay.boundaries[i - 1]) continue;
    refuse(base::str_cat("boundaries[", i, "] is ", decay.boundaries[i], " after ",
                         decay.boundaries[i - 1]),
           "Give rising boundaries");
  }
}

template <typename Schedule>
void check_more(const Schedule& /*schedule*/) {}

}  // namespace

double LearningRate::at(std::int64_t step) const {
  return std::visit([&](const auto& kind) { return rate(kind, static_cast<double>(step)); }, kind_);
}

std::string to_string(const LearningRate& learning_rate) {
  return std::visit(
      [](const auto& kind) {
        if constexpr (std::is_same_v<decltype(kind), const float&>) {
          return base::str_cat(kind);
        } else {
          return compute::text_of(kind);
        }
      },
      learning_rate.kind());
}

void compute::check_value(const std::string& field, const LearningRate& value, Allowed allowed) {
  std::visit(
      [&](const auto& kind) {
        if constexpr (std::is_same_v<decltype(kind), const float&>) {
          check_value(field, kind, allowed);
        } else {
          check_fields(kind);
          check_more(kind);
        }
      },
      value.kind());
}

}  // namespace dtrain::inline v0
