#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compute/device.h"
#include "dtrain/activation.h"
#include "dtrain/initializers.h"
#include "dtrain/regularizer.h"
#include "dtrain/variable.h"

namespace dtrain::inline v0::model {

/// How a variable follows from a step.
enum class VariableKind {
  kWeight,
  /// A running average: what backward writes as its gradient is subtracted as it is.
  kStatistic,
  /// Rows of a table, named by ids; may be elsewhere than in the arenas.
  kRows,
};

/// A variable that an operation needs.
struct VariableSpec {
  std::string name;  ///< In full: "dense_1/kernel".
  Shape shape;
  Initializer initializer;
  VariableKind kind = VariableKind::kWeight;
  Regularizer regularizer = {};
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
  /// Null unless an operation may tell it of the first part of its variables.
  GradientMark* mark = nullptr;
  /// In backward, of a layer that is called several times: how many calls come behind this one.
  std::size_t later_calls = 0;
};

/// The tensors of one call of an operation. All memory is the device's.
struct CallMemory {
  std::vector<const float*> in;
  float* out = nullptr;
  /// Operation::saved_count() elements that stay from forward to backward.
  float* saved = nullptr;
  /// In backward. May be overwritten.
  float* out_gradient = nullptr;
  /// In backward: one for each input, null where nobody wants it. Different memory than the others.
  std::vector<float*> in_gradients;

  /// Of an operation that takes_ids(): one id per element, below its table's rows.
  std::span<const std::int64_t> ids = {};
  /// Where the table is elsewhere: the rows that ids number, and the memory of their gradients, all
  /// of which backward writes.
  std::span<const float> rows = {};
  std::span<float> row_gradients = {};
};

/// One step of the computation: `examples` rows in, `examples` rows out. It owns no memory that
/// grows with a batch, and allocates nothing in a pass.
class Operation {
 public:
  virtual ~Operation() = default;

  /// Its variables; `places` later come in the same order.
  virtual std::vector<VariableSpec> variables() const { return {}; }
  virtual void bind(std::span<const Place> /*places*/) {}
  /// Its input is ids instead of floats. Its variables, of which it has one, may be elsewhere: then
  /// it is not bound, and gets the rows that it needs with each pass.
  virtual bool takes_ids() const { return false; }

  /// It only hands its input on: the network skips it.
  virtual bool is_identity(bool /*training*/) const { return false; }
  /// The activation over all of an example that it is, and nothing else.
  virtual std::optional<Activation> activation() const { return {}; }
  /// Its forward pass reads the batch's example indices.
  virtual bool needs_example_indices() const { return false; }
  virtual std::size_t saved_count(std::size_t /*examples*/) const { return 0; }

  virtual void forward(const Pass& pass, const CallMemory& call) const = 0;
  /// Writes its ranges of pass.gradients, and the in_gradients that are wanted. Values of variables
  /// that the pass's mark has been told of are not read any more.
  virtual void backward(const Pass& pass, const CallMemory& call) const = 0;
};

}  // namespace dtrain::inline v0::model
