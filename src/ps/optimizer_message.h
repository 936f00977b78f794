#pragma once

#include "dtrain/optimizer.h"
#include "dtrain/update_rules.h"
#include "ps/ps.pb.h"

// Optimizers and update rules as messages carry them. What is read is not checked beyond its form:
// validate() does that.
namespace dtrain::inline v0::ps {

void write_optimizer(const Optimizer& optimizer, ::dtrain_pb::ps::Optimizer& message);
/// Throws a protocol error for a kind that this version does not know.
Optimizer optimizer_from(const ::dtrain_pb::ps::Optimizer& message);

void write_rules(const UpdateRules& rules, ::dtrain_pb::ps::Table& message);
UpdateRules rules_from(const ::dtrain_pb::ps::Table& message);

}  // namespace dtrain::inline v0::ps
