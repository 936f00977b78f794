// What optimizers are: their checks, texts and slots. optimizer_apply.cc runs them.
#include "compute/optimizer.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/identifier.h"
#include "base/strings.h"
#include "compute/describe.h"

namespace dtrain::inline v0 {

OptimizerKind Optimizer::named(std::string_view identifier) {
  static const base::Named<OptimizerKind> kTable[] = {
      {"sgd", Sgd{}},   {"adagrad", Adagrad{}}, {"adadelta", Adadelta{}}, {"rmsprop", RmsProp{}},
      {"adam", Adam{}}, {"adamw", AdamW{}},     {"adamax", Adamax{}},     {"nadam", Nadam{}},
      {"ftrl", Ftrl{}}, {"lion", Lion{}},
  };
  return base::find_named("optimizer", identifier, kTable);
}

void validate(const Optimizer& optimizer) {
  std::visit([](const auto& kind) { compute::check_fields(kind); }, optimizer);
}

std::string to_string(const Optimizer& optimizer) {
  return std::visit([](const auto& kind) { return compute::text_of(kind); }, optimizer);
}

namespace compute {
namespace {

Slots slots_of(const Sgd& sgd) { return sgd.momentum > 0.0F ? Slots{{"momentum"}} : Slots{}; }
Slots slots_of(const Adagrad& adagrad) {
  return {{"accumulator", adagrad.initial_accumulator_value}};
}
Slots slots_of(const Adadelta&) { return {{"accumulated_grad"}, {"accumulated_delta_var"}}; }
Slots slots_of(const RmsProp& rmsprop) {
  if (rmsprop.momentum > 0.0F && rmsprop.centered) {
    return {{"velocity"}, {"momentum"}, {"average_gradient"}};
  }
  if (rmsprop.momentum > 0.0F) return {{"velocity"}, {"momentum"}};
  if (rmsprop.centered) return {{"velocity"}, {"average_gradient"}};
  return {{"velocity"}};
}
Slots slots_of_adam(bool amsgrad) {
  return amsgrad ? Slots{{"momentum"}, {"velocity"}, {"velocity_hat"}}
                 : Slots{{"momentum"}, {"velocity"}};
}
Slots slots_of(const Adam& adam) { return slots_of_adam(adam.amsgrad); }
Slots slots_of(const AdamW& adam) { return slots_of_adam(adam.amsgrad); }
Slots slots_of(const Adamax&) { return {{"momentum"}, {"norm"}}; }
Slots slots_of(const Nadam&) { return {{"momentum"}, {"velocity"}}; }
Slots slots_of(const Ftrl& ftrl) {
  return {{"accumulator", ftrl.initial_accumulator_value}, {"linear"}};
}
Slots slots_of(const Lion&) { return {{"momentum"}}; }

}  // namespace

Slots::Slots(std::initializer_list<Slot> slots) : count_(slots.size()) {
  assert(slots.size() <= slots_.size());
  std::ranges::copy(slots, slots_.begin());
}

Slots slots_of(const Optimizer& optimizer) {
  return std::visit([](const auto& kind) { return slots_of(kind); }, optimizer);
}

void set_learning_rate(Optimizer& optimizer, LearningRate rate) {
  std::visit([&](auto& kind) { kind.learning_rate = std::move(rate); }, optimizer);
}

const LearningRate& learning_rate_of(const Optimizer& optimizer) {
  return std::visit([](const auto& kind) -> const LearningRate& { return kind.learning_rate; },
                    optimizer);
}

int slot_count(const Optimizer& optimizer) { return static_cast<int>(slots_of(optimizer).size()); }

std::array<tensor::Arena, kOptimizerSlotsMax> slot_arenas(const Optimizer& optimizer,
                                                          std::size_t count) {
  std::array<tensor::Arena, kOptimizerSlotsMax> arenas;
  const Slots slots = slots_of(optimizer);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    arenas[i] = tensor::Arena(count);
    if (slots[i].initial != 0.0F) std::ranges::fill(arenas[i].span(), slots[i].initial);
  }
  return arenas;
}

}  // namespace compute
}  // namespace dtrain::inline v0
