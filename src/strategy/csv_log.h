#pragma once

#include <memory>

#include "dtrain/callbacks.h"

namespace dtrain::inline v0::strategy {

/// Throws invalid_argument for an empty file name. The file is opened when training begins, at the
/// chief; what stands in the way is thrown then.
std::shared_ptr<Callback> make_csv_log(const CsvLogger& options);

}  // namespace dtrain::inline v0::strategy
