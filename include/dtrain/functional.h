#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "dtrain/dtype.h"
#include "dtrain/export.h"
#include "dtrain/layers.h"
#include "dtrain/variable.h"

namespace dtrain::inline v0 {

/// What a model takes (keras.Input).
struct Input {
  Shape shape = {};  ///< One example's, without the batch: {64}, or {1} for one number or word.
  DType dtype = DType::kFloat32;  ///< kFloat32, kInt64 or kString.
  std::string name = {};          ///< Empty: "input", "input_1", ... in order.

  bool operator==(const Input&) const = default;
};

/// A tensor of a Functional while it is described: an input, or what a call of a layer gives. Only
/// its own Functional, and copies of it, can use it.
struct SymbolicTensor {
  bool is_input = false;
  std::size_t index = 0;  ///< In Functional::inputs or ::calls.

  bool operator==(const SymbolicTensor&) const = default;
};

/// A layer applied to tensors. A layer that is called several times has the same variables in each.
struct LayerCall {
  std::size_t layer = 0;               ///< In Functional::layers.
  std::vector<SymbolicTensor> inputs;  ///< Of calls before this one, and the model's.

  bool operator==(const LayerCall&) const = default;
};

/// What a model gives.
struct Output {
  SymbolicTensor tensor;
  std::string name = {};  ///< Empty: the name of the layer that gives it.

  bool operator==(const Output&) const = default;
};

/// A graph of layers with any number of inputs and outputs (keras.Model):
///
///   dtrain::Functional model;
///   auto age = model.input({.shape = {1}, .name = "age"});
///   auto job = model.input({.shape = {1}, .dtype = dtrain::DType::kString, .name = "job"});
///   auto id = model.add(dtrain::StringLookup{.vocabulary = jobs}, {job});
///   auto row = model.add(dtrain::EmbeddingBag{.input_dim = 17, .output_dim = 8}, {id});
///   auto joined = model.add(dtrain::Concatenate{}, {row, age});
///   model.output(model.add(dtrain::Dense{1}, {joined}));
///
/// A plain value: the functions only fill in the lists, which may be read and written too. What is
/// wrong with it is said when it is built.
struct DTRAIN_EXPORT Functional {
  std::string name = "functional";
  std::vector<Input> inputs = {};
  std::vector<Layer> layers = {};
  std::vector<LayerCall> calls = {};
  std::vector<Output> outputs = {};

  SymbolicTensor input(Input description);
  /// A layer of its own, called here.
  SymbolicTensor add(Layer layer, std::vector<SymbolicTensor> from);
  /// A layer that is shared: its number, for call().
  std::size_t share(Layer layer);
  SymbolicTensor call(std::size_t layer, std::vector<SymbolicTensor> from);
  void output(SymbolicTensor tensor, std::string output_name = {});

  bool operator==(const Functional&) const = default;
};

/// A stack of layers, each fed by the one before it (keras.Sequential).
struct Sequential {
  Shape input_shape = {};  ///< One example's, without the batch: {64}, or {28, 28, 1}.
  std::vector<Layer> layers = {};
  std::string name = "sequential";
  DType input_dtype = DType::kFloat32;

  bool operator==(const Sequential&) const = default;
};

/// The same model as a graph: one input named "input", each layer called once, one output.
DTRAIN_EXPORT Functional to_functional(const Sequential& sequential);

/// A description as JSON, and back: layers by their Keras class names with their fields, so that
/// people can read and write it. docs/models.md has the format. to_json throws invalid_argument for
/// texts that are not UTF-8, functional_from_json for what is wrong, with its place.
DTRAIN_EXPORT std::string to_json(const Functional& model);
DTRAIN_EXPORT Functional functional_from_json(std::string_view json);

}  // namespace dtrain::inline v0
