#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compute/device.h"
#include "dtrain/activation.h"
#include "dtrain/initializers.h"
#include "dtrain/variable.h"

namespace dtrain::inline v0::model {

/// A variable that an operation needs.
struct VariableSpec {
  std::string name;  ///< In full: "dense_1/kernel".
  Shape shape;
  Initializer initializer;
};

/// A range of both arenas.
struct Place {
  std::size_t offset = 0;
  std::size_t count = 0;
};

/// Whom backward tells how far the gradient arena is written. Confined to the pass.
class GradientMark {
 public:
  /// As GradientsReady in network.h; may be empty.
  explicit GradientMark(const std::function<void(std::size_t, std::size_t)>& ready)
      : ready_(ready) {}
  bool heard() const { return static_cast<bool>(ready_); }
  /// Everything before `end` is final.
  void reach(std::size_t end) {
    if (heard() && end > begin_) ready_(begin_, end);
    begin_ = end;
  }

 private:
  const std::function<void(std::size_t, std::size_t)>& ready_;
  std::size_t begin_ = 0;
};

/// What a pass through the network shares between operations. All memory is the device's.
struct Pass {
  compute::Device& device;
  std::size_t examples = 0;
  bool training = false;
  std::int64_t step = 0;
  std::span<const std::uint64_t> example_indices = {};
  std::span<const float> values = {};  ///< The arena of variables.
  std::span<float> gradients = {};     ///< Its twin; empty unless training.
  /// What an operation that takes_ids() reads instead of its input: one id per element, below its
  /// table's rows.
  std::span<const std::int64_t> ids = {};
  /// The rows that ids number where the table is elsewhere, and the memory of their gradients.
  std::span<const float> rows = {};
  std::span<float> row_gradients = {};
  /// Null unless training. An operation may tell it of the first part of its variables.
  GradientMark* mark = nullptr;
};

/// One step of the computation: `examples` rows in, `examples` rows out. It owns no memory that
/// grows with a batch, and allocates nothing in a pass.
class Operation {
 public:
  virtual ~Operation() = default;

  /// Its variables; `places` later come in the same order.
  virtual std::vector<VariableSpec> variables() const { return {}; }
  virtual void bind(std::span<const Place> /*places*/) {}
  /// Its variables, of which it has one, may be elsewhere: then it is not bound, and gets the rows
  /// that it needs with each pass.
  virtual bool takes_ids() const { return false; }

  /// It only hands its input on: the network skips it.
  virtual bool is_identity(bool /*training*/) const { return false; }
  /// The activation that it is and nothing else, softmax only over all of an example; or kLinear.
  virtual Activation activation() const { return Activation::kLinear; }
  /// Its forward pass reads the batch's example indices.
  virtual bool needs_example_indices() const { return false; }

  virtual void forward(const Pass& pass, const float* in, float* out) const = 0;
  /// Writes its range of pass.gradients, and in_gradient unless that is null. `out_gradient` may
  /// be overwritten; it and in_gradient are different memory. Values of variables that the pass's
  /// mark has been told of are not read any more.
  virtual void backward(const Pass& pass, const float* in, const float* out, float* out_gradient,
                        float* in_gradient) const = 0;
};

struct DenseShape {
  std::size_t rows_per_example = 1;  ///< Product of the dimensions before the last.
  std::size_t inputs = 0;
  std::size_t units = 0;
};

struct DenseSpec {
  DenseShape shape;
  Activation activation = Activation::kLinear;  ///< Any but softmax.
  bool use_bias = true;
  Initializer kernel_initializer;
  Initializer bias_initializer;
};

std::unique_ptr<Operation> make_dense(std::string layer_name, DenseSpec spec);

struct EmbeddingSpec {
  std::int64_t rows = 0;
  std::int64_t width = 0;
  Initializer initializer;
};

std::unique_ptr<Operation> make_embedding(const std::string& layer_name, EmbeddingSpec spec);

/// Softmax is over the last dimension, of `columns`.
std::unique_ptr<Operation> make_activation(Activation activation, std::size_t rows_per_example,
                                           std::size_t columns);

/// Draws from the stream of `layer_name` under `seed`.
std::unique_ptr<Operation> make_dropout(const std::string& layer_name, float rate,
                                        std::uint64_t seed, std::size_t columns);

}  // namespace dtrain::inline v0::model
