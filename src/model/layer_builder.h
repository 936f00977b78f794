#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/graph.h"

namespace dtrain::inline v0::model {

/// One call of a layer while a graph is built: what it gets, and where its operations go. What the
/// first emit takes is the call's inputs, what each next one takes is the result before it.
class LayerBuilder {
 public:
  /// `is_output`: the model gives what this call gives.
  LayerBuilder(Graph& graph, std::size_t layer, std::vector<std::size_t> inputs, bool is_output,
               std::uint64_t seed);

  const std::string& name() const { return graph_.layer_names[layer_]; }
  std::uint64_t seed() const { return seed_; }
  bool is_output() const { return is_output_; }
  /// `layer 2 ("dense"): `
  std::string where() const;
  [[noreturn]] void refuse(const std::string& happened, const std::string& advice) const;

  /// How many operations earlier calls of the layer have.
  std::size_t earlier_operations() const;

  std::size_t input_count() const { return current_.size(); }
  const GraphTensor& input(std::size_t index = 0) const { return graph_.tensors[current_[index]]; }
  /// Elements of the last dimension of the first input.
  std::size_t columns() const;
  /// Elements of an example of it in front of the last dimension.
  std::size_t rows_per_example() const;
  /// The layer takes one input.
  void take_one() const;
  /// The same of floats, with at least one dimension.
  void take_floats() const;
  /// The same with exactly so many dimensions, called `dimensions` in the message.
  void take_floats(std::size_t rank, const char* dimensions) const;
  /// At least two inputs of floats.
  void take_several() const;
  /// One input that the CPU has, of one of these types.
  void take_host(std::initializer_list<DType> dtypes) const;

  void check(const Initializer& initializer, const char* field) const;
  void check(const Regularizer& regularizer, const char* field) const;
  /// Throws unless a tensor of this shape has a size that memory can address.
  void check_size(const Shape& shape, const std::string& what) const;

  void emit(std::unique_ptr<Operation> operation, Shape out);
  void emit(std::unique_ptr<HostOperation> operation, Shape out);
  /// The elements of the result so far in another shape.
  void reshape(Shape shape);
  /// Which tensor the call gives.
  std::size_t result() const { return current_.front(); }

 private:
  std::size_t add_tensor(DType dtype, Shape shape, bool on_host);

  Graph& graph_;
  const std::size_t layer_;
  std::vector<std::size_t> current_;
  const bool is_output_;
  const std::uint64_t seed_;
};

// What each layer does, one file of layers/ for each family.
void build(const Dense& layer, LayerBuilder& builder);
void build(const ActivationLayer& layer, LayerBuilder& builder);
void build(const LeakyReLU& layer, LayerBuilder& builder);
void build(const Flatten& layer, LayerBuilder& builder);
void build(const Reshape& layer, LayerBuilder& builder);
void build(const Dropout& layer, LayerBuilder& builder);
void build(const Embedding& layer, LayerBuilder& builder);
void build(const EmbeddingBag& layer, LayerBuilder& builder);
void build(const Conv1D& layer, LayerBuilder& builder);
void build(const Conv2D& layer, LayerBuilder& builder);
void build(const DepthwiseConv2D& layer, LayerBuilder& builder);
void build(const MaxPooling1D& layer, LayerBuilder& builder);
void build(const MaxPooling2D& layer, LayerBuilder& builder);
void build(const AveragePooling1D& layer, LayerBuilder& builder);
void build(const AveragePooling2D& layer, LayerBuilder& builder);
void build(const GlobalMaxPooling1D& layer, LayerBuilder& builder);
void build(const GlobalMaxPooling2D& layer, LayerBuilder& builder);
void build(const GlobalAveragePooling1D& layer, LayerBuilder& builder);
void build(const GlobalAveragePooling2D& layer, LayerBuilder& builder);
void build(const BatchNormalization& layer, LayerBuilder& builder);
void build(const LayerNormalization& layer, LayerBuilder& builder);
void build(const Concatenate& layer, LayerBuilder& builder);
void build(const Add& layer, LayerBuilder& builder);
void build(const Multiply& layer, LayerBuilder& builder);
void build(const Dot& layer, LayerBuilder& builder);
void build(const Normalization& layer, LayerBuilder& builder);
void build(const StringLookup& layer, LayerBuilder& builder);
void build(const IntegerLookup& layer, LayerBuilder& builder);
void build(const Hashing& layer, LayerBuilder& builder);
void build(const Discretization& layer, LayerBuilder& builder);
void build(const CategoryEncoding& layer, LayerBuilder& builder);

/// An activation over the result so far, softmax included. Used by layers that end in one.
void build_activation(Activation activation, LayerBuilder& builder);
/// Whether a layer's operation itself can apply it: activations that look at the result alone,
/// and whose input no loss wants.
bool fuses(Activation activation, const LayerBuilder& builder);

}  // namespace dtrain::inline v0::model
