#pragma once

#include "compute/update_plan.h"
#include "ps/client.h"

namespace dtrain::inline v0::ps {

/// Clips a worker's own gradients by the plan's norms, as asynchronous workers do before they
/// push: where something is to be clipped, `request` gets sources of its own. For the caller's
/// thread.
void clip_own_gradients(const tensor::Layout& layout, const compute::UpdatePlan& plan,
                        PushRequest& request);

}  // namespace dtrain::inline v0::ps
