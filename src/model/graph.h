#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dtrain/functional.h"
#include "model/host_operations.h"
#include "model/operations.h"

namespace dtrain::inline v0::model {

/// A tensor of a graph, between two operations.
struct GraphTensor {
  DType dtype = DType::kFloat32;
  Shape shape;            ///< Of one example.
  std::size_t count = 0;  ///< Elements of it.
  /// Made by the CPU from the model's inputs, and in ordinary memory: no gradient flows through it.
  bool on_host = false;
  /// Whose memory it is: its own number, or that of the tensor whose elements it has in another
  /// shape.
  std::size_t storage = 0;
};

/// An operation with its tensors, as indices in Graph::tensors. One of the two operations is set.
struct GraphCall {
  std::size_t layer = 0;  ///< In Functional::layers.
  std::unique_ptr<Operation> operation;
  std::unique_ptr<HostOperation> host_operation;
  std::vector<std::size_t> in;
  std::size_t out = 0;
};

/// A description turned into operations in an order in which each comes behind those whose results
/// it takes, with all shapes inferred. A call of a layer may give none (Flatten) or several (Dense
/// with softmax).
struct Graph {
  std::vector<GraphTensor> tensors;
  std::vector<GraphCall> calls;
  std::vector<std::size_t> inputs;   ///< Tensors, in the order of Functional::inputs.
  std::vector<std::size_t> outputs;  ///< Tensors, in the order of Functional::outputs.
  /// Of each Functional::calls, for summaries.
  std::vector<std::size_t> results;
  std::vector<std::string> input_names;
  std::vector<std::string> layer_names;
  std::vector<std::string> output_names;
};

/// Throws invalid_argument that names the layer by index and name, what it got and what it needs.
/// `seed` is for operations with random numbers.
Graph build_graph(const Functional& description, std::uint64_t seed);

/// Names of the layers, in order: the ones given, or Keras's ("dense", "dense_1", ...). Throws
/// invalid_argument for two of the same.
std::vector<std::string> layer_names(const Functional& description);

}  // namespace dtrain::inline v0::model
