#pragma once

#include <string>

#include "dtrain/layers.h"
#include "model/json_values.h"

namespace dtrain::inline v0::model {

/// An object of Keras's class name, the layer's name if it has one, and the fields that differ from
/// their defaults.
Json layer_to_json(const Layer& layer);
void layer_from_json(const Json& json, const std::string& path, Layer& layer);

}  // namespace dtrain::inline v0::model
