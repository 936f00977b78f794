#include <cassert>
#include <charconv>
#include <cmath>

#include "compute/dispatch.h"
#include "compute/optimizer.h"

namespace dtrain::inline v0::compute {
namespace {

/// 1 - fraction, of the number as it was written: 0.999F is a little less than 0.999, and
/// 1 - 0.999F would be 1e-5 of itself off. Keras subtracts in double in most of its optimizers;
/// Nadam and Lion subtract in float, and so do we.
float complement(float fraction) {
  char text[32];
  const auto written = std::to_chars(text, text + sizeof(text), fraction);
  auto decimal = static_cast<double>(fraction);
  std::from_chars(text, written.ptr, decimal);
  return static_cast<float>(1.0 - decimal);
}

/// 1 - beta^step. In double: in float it loses half of its digits in the first steps.
double correction(float beta, std::int64_t step) {
  return 1.0 - std::pow(static_cast<double>(beta), static_cast<double>(step));
}

template <typename Kind>
UpdateTask update_task(const Kind& kind, const OptimizerUpdate& update) {
  const double rate =
      kind.learning_rate.at(update.step - 1) * static_cast<double>(update.learning_rate_factor);
  UpdateTask task{.count = update.values.size(),
                  .values = update.values.data(),
                  .updated = update.updated.data(),
                  .gradients = update.gradients.data(),
                  .gradient_scale = update.gradient_scale,
                  .gradient_limit = update.gradient_limit,
                  .learning_rate = static_cast<float>(rate),
                  .weight_decay = update.weight_decay ? kind.weight_decay : 0.0F};
  for (std::size_t i = 0; i < kOptimizerSlotsMax; ++i) task.slots[i] = update.slots[i].data();
  return task;
}

void run(const KernelTable& kernels, const Sgd& sgd, const OptimizerUpdate& update) {
  kernels.sgd(
      {.update = update_task(sgd, update), .momentum = sgd.momentum, .nesterov = sgd.nesterov});
}

void run(const KernelTable& kernels, const Adagrad& adagrad, const OptimizerUpdate& update) {
  kernels.adagrad({.update = update_task(adagrad, update), .epsilon = adagrad.epsilon});
}

void run(const KernelTable& kernels, const Adadelta& adadelta, const OptimizerUpdate& update) {
  kernels.adadelta({.update = update_task(adadelta, update),
                    .rho = adadelta.rho,
                    .one_minus_rho = complement(adadelta.rho),
                    .epsilon = adadelta.epsilon});
}

void run(const KernelTable& kernels, const RmsProp& rmsprop, const OptimizerUpdate& update) {
  kernels.rmsprop({.update = update_task(rmsprop, update),
                   .rho = rmsprop.rho,
                   .one_minus_rho = complement(rmsprop.rho),
                   .momentum = rmsprop.momentum,
                   .epsilon = rmsprop.epsilon,
                   .centered = rmsprop.centered});
}

template <typename Kind>
void run_adam(const KernelTable& kernels, const Kind& adam, const OptimizerUpdate& update) {
  const UpdateTask task = update_task(adam, update);
  const double rate =
      adam.learning_rate.at(update.step - 1) * static_cast<double>(update.learning_rate_factor);
  const double alpha =
      rate * std::sqrt(correction(adam.beta_2, update.step)) / correction(adam.beta_1, update.step);
  kernels.adam({.update = task,
                .alpha = static_cast<float>(alpha),
                .one_minus_beta_1 = complement(adam.beta_1),
                .one_minus_beta_2 = complement(adam.beta_2),
                .epsilon = adam.epsilon});
}

void run(const KernelTable& kernels, const Adam& adam, const OptimizerUpdate& update) {
  run_adam(kernels, adam, update);
}

void run(const KernelTable& kernels, const AdamW& adam, const OptimizerUpdate& update) {
  run_adam(kernels, adam, update);
}

void run(const KernelTable& kernels, const Adamax& adamax, const OptimizerUpdate& update) {
  kernels.adamax({.update = update_task(adamax, update),
                  .one_minus_beta_1 = complement(adamax.beta_1),
                  .beta_2 = adamax.beta_2,
                  .correction = static_cast<float>(correction(adamax.beta_1, update.step)),
                  .epsilon = adamax.epsilon});
}

/// Nadam's momentum at a step, and the product of those from step 1 on. Keras keeps the product
/// as a variable; here it is a function of the step.
struct NadamMomentum {
  explicit NadamMomentum(float beta_1) : beta_1_(static_cast<double>(beta_1)) {}

  double at(std::int64_t step) const {
    return beta_1_ * (1.0 - 0.5 * std::pow(0.96, static_cast<double>(step)));
  }
  double product(std::int64_t step) const {
    constexpr double kVanishes = 1e-18;  // 1 - this is 1
    double product = 1.0;
    for (std::int64_t i = 1; i <= step && product > kVanishes; ++i) product *= at(i);
    return product;
  }

 private:
  const double beta_1_;
};

void run(const KernelTable& kernels, const Nadam& nadam, const OptimizerUpdate& update) {
  const NadamMomentum momentum(nadam.beta_1);
  const double now = momentum.at(update.step);
  const double next = momentum.at(update.step + 1);
  const double product = momentum.product(update.step);
  kernels.nadam({.update = update_task(nadam, update),
                 .one_minus_beta_1 = 1.0F - nadam.beta_1,
                 .one_minus_beta_2 = 1.0F - nadam.beta_2,
                 .momentum_part = static_cast<float>(next / (1.0 - product * next)),
                 .gradient_part = static_cast<float>((1.0 - now) / (1.0 - product)),
                 .correction_2 = static_cast<float>(correction(nadam.beta_2, update.step)),
                 .epsilon = nadam.epsilon});
}

void run(const KernelTable& kernels, const Ftrl& ftrl, const OptimizerUpdate& update) {
  const UpdateTask task = update_task(ftrl, update);
  if (task.learning_rate == 0.0F) {  // its formula divides by the rate
    for (std::size_t i = 0; i < task.count; ++i) task.updated[i] = task.values[i];
    return;
  }
  const double beta_part = static_cast<double>(ftrl.beta) / static_cast<double>(task.learning_rate);
  kernels.ftrl({.update = task,
                .exponent = -ftrl.learning_rate_power,
                .l1 = ftrl.l1_regularization_strength,
                .l2_twice = static_cast<float>(
                    2.0 * static_cast<double>(ftrl.l2_regularization_strength) + beta_part),
                .shrinkage_twice = 2.0F * ftrl.l2_shrinkage_regularization_strength});
}

void run(const KernelTable& kernels, const Lion& lion, const OptimizerUpdate& update) {
  kernels.lion({.update = update_task(lion, update),
                .beta_1 = lion.beta_1,
                .one_minus_beta_1 = 1.0F - lion.beta_1,
                .beta_2 = lion.beta_2,
                .one_minus_beta_2 = 1.0F - lion.beta_2});
}

}  // namespace

void apply_with(const KernelTable& kernels, const Optimizer& optimizer,
                const OptimizerUpdate& update) {
  assert(update.step >= 1);
  assert(update.updated.size() == update.values.size());
  assert(update.gradients.size() == update.values.size());
  if (update.values.empty()) return;
  if (update.subtracts) {
    OptimizerUpdate plain = update;
    plain.slots = {};
    plain.learning_rate_factor = 1.0F;
    run(kernels, Sgd{.learning_rate = 1.0F}, plain);
    return;
  }
  OptimizerUpdate used = update;  // without slots that the optimizer does not have
  const std::size_t slots = slots_of(optimizer).size();
  for (std::size_t i = 0; i < kOptimizerSlotsMax; ++i) {
    assert(i >= slots || used.slots[i].size() == used.values.size());
    if (i >= slots) used.slots[i] = {};
  }
  std::visit([&](const auto& kind) { run(kernels, kind, used); }, optimizer);
}

void apply(const Optimizer& optimizer, const OptimizerUpdate& update) {
  apply_with(best_kernels(), optimizer, update);
}

void begin_sum(std::span<float> sum, std::span<const float> gradients, float weight) {
  assert(sum.size() == gradients.size());
  best_kernels().begin_sum(sum.size(), sum.data(), gradients.data(), weight);
}

void accumulate(std::span<float> sum, std::span<const float> gradients, float weight) {
  assert(sum.size() == gradients.size());
  best_kernels().accumulate(sum.size(), sum.data(), gradients.data(), weight);
}

}  // namespace dtrain::inline v0::compute
