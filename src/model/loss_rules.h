#pragma once

#include "compute/device.h"
#include "dtrain/activation.h"
#include "dtrain/losses.h"
#include "dtrain/variable.h"

namespace dtrain::inline v0::model {

/// The activation whose input the loss would rather have than its output, as Keras does: softmax
/// for categorical cross-entropies, sigmoid for binary ones, kLinear for other losses.
Activation activation_of(const Loss& loss);

bool takes_classes(const Loss& loss);
/// One of the categorical cross-entropies.
bool is_categorical(const Loss& loss);

/// Throws invalid_argument where a field of the loss is wrong or the loss does not fit an output of
/// this shape that ends in `activation`.
void check_loss(const Loss& loss, const Shape& output_shape, Activation activation);

/// The pass that computes the loss, without what a batch fills in. `logits`: of what goes into
/// activation_of() the loss.
compute::LossPass loss_pass(const Loss& loss, bool logits);

}  // namespace dtrain::inline v0::model
