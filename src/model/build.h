#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dtrain/layers.h"
#include "model/operations.h"

namespace dtrain::inline v0::model {

/// One operation of a network, with what it is called and gives.
struct Stage {
  std::string layer_name;
  std::unique_ptr<Operation> operation;
  Shape output_shape;       ///< Of one example.
  std::size_t outputs = 0;  ///< Elements of it.
};

/// A description turned into operations in order, shapes inferred. A layer may give none (Flatten)
/// or several (Dense with softmax, or with sigmoid as the last). Throws invalid_argument that names
/// the layer by index and name, what it got and what it needs.
std::vector<Stage> build_stages(const Sequential& description, std::uint64_t seed);

/// Names of the layers, in order: the ones given, or Keras's ("dense", "dense_1", ...). Throws
/// invalid_argument for two of the same.
std::vector<std::string> layer_names(const Sequential& description);

}  // namespace dtrain::inline v0::model
