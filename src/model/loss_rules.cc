#include "model/loss_rules.h"

#include <cmath>
#include <string>

#include "base/refuse.h"
#include "base/strings.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::model {
namespace {

using compute::LossFunction;
using compute::LossPass;

using base::refuse;

struct PassOf {
  bool logits;

  LossPass operator()(const SparseCategoricalCrossentropy& loss) const {
    return {.function = either(loss.from_logits, LossFunction::kSparseCrossEntropyLogits,
                               LossFunction::kSparseCrossEntropy)};
  }
  LossPass operator()(const CategoricalCrossentropy& loss) const {
    return {.function = either(loss.from_logits, LossFunction::kCrossEntropyLogits,
                               LossFunction::kCrossEntropy),
            .label_smoothing = loss.label_smoothing};
  }
  LossPass operator()(const BinaryCrossentropy& loss) const {
    return {.function = either(loss.from_logits, LossFunction::kBinaryCrossEntropyLogits,
                               LossFunction::kBinaryCrossEntropy),
            .label_smoothing = loss.label_smoothing};
  }
  LossPass operator()(const MeanSquaredError& /*loss*/) const {
    return {.function = LossFunction::kSquaredError};
  }
  LossPass operator()(const MeanAbsoluteError& /*loss*/) const {
    return {.function = LossFunction::kAbsoluteError};
  }
  LossPass operator()(const Huber& loss) const {
    return {.function = LossFunction::kHuber, .delta = loss.delta};
  }

  LossFunction either(bool from_logits, LossFunction of_logits, LossFunction of_others) const {
    return logits || from_logits ? of_logits : of_others;
  }
};

bool from_logits(const Loss& loss) {
  return std::visit(
      [](const auto& kind) {
        if constexpr (requires { kind.from_logits; }) return kind.from_logits;
        return false;
      },
      loss);
}

void check_fields(const Loss& loss) {
  const LossPass pass = loss_pass(loss, false);
  if (!(pass.label_smoothing >= 0.0F && pass.label_smoothing < 1.0F)) {
    refuse(base::str_cat("the loss ", loss_name(loss),
                         " has label_smoothing = ", pass.label_smoothing),
           "Give a number in [0, 1)");
  }
  if (!(pass.delta > 0.0F && std::isfinite(pass.delta))) {
    refuse(base::str_cat("the loss huber has delta = ", pass.delta), "Give a number above 0");
  }
}

void check_categorical(const Loss& loss, const Shape& output_shape) {
  const std::string_view name = loss_name(loss);
  if (output_shape.size() != 1) {
    refuse(
        base::str_cat("the loss ", name, " needs one output per class, but the last layer gives ",
                      tensor::to_string(output_shape), " per example"),
        "End the model with Flatten and Dense{classes}");
  }
  if (output_shape[0] < 2) {
    refuse(base::str_cat("the loss ", name,
                         " needs at least 2 classes, but the last layer has 1 output"),
           "Give the last Dense one unit per class, or use BinaryCrossentropy");
  }
}

}  // namespace

Activation activation_of(const Loss& loss) {
  if (is_categorical(loss)) return Activation::kSoftmax;
  const bool binary = std::holds_alternative<BinaryCrossentropy>(loss);
  return binary ? Activation::kSigmoid : Activation::kLinear;
}

bool takes_classes(const Loss& loss) {
  return std::holds_alternative<SparseCategoricalCrossentropy>(loss);
}

bool is_categorical(const Loss& loss) {
  return takes_classes(loss) || std::holds_alternative<CategoricalCrossentropy>(loss);
}

void check_loss(const Loss& loss, const Shape& output_shape, Activation activation) {
  check_fields(loss);
  if (is_categorical(loss)) check_categorical(loss, output_shape);
  if (from_logits(loss) && activation == activation_of(loss)) {
    const std::string_view name = activation_name(activation);
    refuse(base::str_cat("the loss ", loss_name(loss),
                         " has from_logits = true, but the last layer applies ", name, " already"),
           base::str_cat("Set from_logits = false, or remove the ", name));
  }
}

LossPass loss_pass(const Loss& loss, bool logits) { return std::visit(PassOf{logits}, loss); }

}  // namespace dtrain::inline v0::model
