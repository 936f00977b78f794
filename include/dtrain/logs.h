#pragma once

#include <map>
#include <string>

namespace dtrain::inline v0 {

/// Names as Keras shows them ("loss", "accuracy", "val_loss", ...) to their values.
using Logs = std::map<std::string, double>;

}  // namespace dtrain::inline v0
