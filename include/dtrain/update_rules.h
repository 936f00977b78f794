#pragma once

#include <string>
#include <vector>

#include "dtrain/export.h"

namespace dtrain::inline v0 {

/// Limits on gradients, with Keras's meaning. At most one is above 0; 0 means none.
///
/// A synchronous update clips the mean gradient over all workers. In asynchronous mode each worker
/// clips its own gradient before it counts.
struct Clipping {
  float value = 0.0F;  ///< Keras's clipvalue: each element is cut to [-value, value].
  /// Keras's clipnorm: a variable's gradient whose L2 norm is larger is scaled to it.
  float norm = 0.0F;
  /// Keras's global_clipnorm: where the norm over all variables of the update that are not frozen
  /// is larger, all gradients are scaled by the same factor to reach it.
  float global_norm = 0.0F;

  bool operator==(const Clipping&) const = default;
};

/// Variables that are updated otherwise than the rest.
struct ParameterGroup {
  /// Names of variables; `*` stands for any characters: "dense/kernel", "encoder/*", "*/bias".
  std::vector<std::string> variables;
  float learning_rate_factor = 1.0F;  ///< At least 0; multiplies the optimizer's rate.
  bool weight_decay = true;           ///< False: without the optimizer's weight decay.
  /// Never updated, and not sent to servers or back. (A frozen BatchNormalization's averages still
  /// follow the batches, unlike Keras's.)
  bool frozen = false;
  /// Running averages and the like: what is pushed is subtracted as it is (averaged over workers as
  /// gradients are), without optimizer or clipping, and counts in no norm. Such a group has no
  /// other exception, and goes before others: patterns of other groups pass its variables over.
  bool statistics = false;

  bool operator==(const ParameterGroup&) const = default;
};

/// What is done beside the optimizer's formula. A variable belongs to at most one group, and each
/// name or pattern matches a variable: anything else is an error.
struct UpdateRules {
  Clipping clipping = {};
  std::vector<ParameterGroup> groups = {};

  bool operator==(const UpdateRules&) const = default;
};

/// Throws invalid_argument that names the field, its value and what is allowed.
DTRAIN_EXPORT void validate(const UpdateRules& rules);

/// `clipping norm 1, {*/bias: no weight decay}`; empty without rules.
DTRAIN_EXPORT std::string to_string(const UpdateRules& rules);

}  // namespace dtrain::inline v0
