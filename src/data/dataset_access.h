#pragma once

#include <cstddef>

#include "dtrain/dataset.h"

namespace dtrain::inline v0::data {

/// What a Dataset is made of, for this module.
struct DatasetAccess {
  /// Of examples that are right, at least one.
  static Dataset make(Examples examples);
  /// All that the data set shares; its own are those from begin() on.
  static const Examples& examples(const Dataset& dataset);
  static std::size_t begin(const Dataset& dataset) { return dataset.begin_; }
};

}  // namespace dtrain::inline v0::data
