#pragma once

#include <memory>

#include "dtrain/callbacks.h"

namespace dtrain::inline v0::strategy {

/// What runs a callback: the own one itself, or what Keras's description stands for. Throws
/// invalid_argument that names the field.
std::shared_ptr<Callback> make_callback(const AnyCallback& callback);

}  // namespace dtrain::inline v0::strategy
