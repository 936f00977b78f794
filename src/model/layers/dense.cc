#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "model/layer_builder.h"

namespace dtrain::inline v0::model {
namespace {

using compute::ConstMatrix;
using compute::Matrix;

struct DenseShape {
  std::size_t rows_per_example = 1;  ///< Product of the dimensions before the last.
  std::size_t inputs = 0;
  std::size_t units = 0;
};

class DenseOperation final : public Operation {
 public:
  /// `layer` has an activation that can be fused.
  DenseOperation(std::string name, DenseShape shape, Dense layer)
      : name_(std::move(name)), shape_(shape), layer_(std::move(layer)) {}

  std::vector<VariableSpec> variables() const override {
    const auto inputs = static_cast<std::int64_t>(shape_.inputs);
    const auto units = static_cast<std::int64_t>(shape_.units);
    std::vector<VariableSpec> specs = {{.name = name_ + "/kernel",
                                        .shape = {inputs, units},
                                        .initializer = layer_.kernel_initializer,
                                        .regularizer = layer_.kernel_regularizer}};
    if (layer_.use_bias) {
      specs.push_back({.name = name_ + "/bias",
                       .shape = {units},
                       .initializer = layer_.bias_initializer,
                       .regularizer = layer_.bias_regularizer});
    }
    return specs;
  }
  void bind(std::span<const Place> places) override {
    kernel_ = places[0];
    if (layer_.use_bias) bias_ = places[1];
  }

  void forward(const Pass& pass, const CallMemory& call) const override {
    const std::size_t rows = pass.examples * shape_.rows_per_example;
    pass.device.product({.a = {call.in[0], rows, shape_.inputs},
                         .b = kernel(pass),
                         .bias = pass.values.subspan(bias_.offset, bias_.count),
                         .activation = layer_.activation,
                         .out = {call.out, rows, shape_.units}});
  }

  void backward(const Pass& pass, const CallMemory& call) const override {
    const auto [rows_per_example, inputs, units] = shape_;
    const std::size_t rows = pass.examples * rows_per_example;
    const Matrix gradient{call.out_gradient, rows, units};
    if (layer_.activation != Activation::kLinear) {
      pass.device.activate_backward({.activation = layer_.activation,
                                     .out = {call.out, rows, units},
                                     .out_gradient = gradient,
                                     .in_gradient = gradient});
    }
    if (layer_.use_bias) {
      pass.device.column_sums(gradient, pass.gradients.subspan(bias_.offset, bias_.count));
    }
    // First what reads the kernel: it may change once it is known that its gradient is written.
    if (call.in_gradients[0] != nullptr) {
      pass.device.product({.a = gradient,
                           .b = kernel(pass),
                           .transpose_b = true,
                           .out = {call.in_gradients[0], rows, inputs}});
    }
    const std::size_t piece = piece_rows();
    for (std::size_t row = 0; row < inputs; row += piece) {
      const std::size_t count = std::min(piece, inputs - row);
      const std::size_t first = kernel_.offset + row * units;
      pass.device.product({.a = {call.in[0] + row, rows, count, inputs},
                           .b = gradient,
                           .transpose_a = true,
                           .out = {pass.gradients.data() + first, count, units}});
      if (pass.mark && row + count < inputs) pass.mark->reach(first + count * units);
    }
  }

 private:
  /// The kernel's gradient is written in pieces of about a megabyte: they stay in the second-level
  /// cache while they are summed, and who waits for it can start with the first ones.
  std::size_t piece_rows() const {
    constexpr std::size_t kPieceElements = 1 << 18;
    constexpr std::size_t kMultiple = 48;  // whole blocks of product kernels
    const std::size_t rows = kPieceElements / std::max<std::size_t>(shape_.units, 1);
    return std::max(rows / kMultiple * kMultiple, kMultiple);
  }
  ConstMatrix kernel(const Pass& pass) const {
    return {pass.values.data() + kernel_.offset, shape_.inputs, shape_.units};
  }

  const std::string name_;
  const DenseShape shape_;
  const Dense layer_;
  Place kernel_;
  Place bias_;
};

}  // namespace

void build(const Dense& layer, LayerBuilder& builder) {
  builder.take_floats();
  if (layer.units < 1) {
    builder.refuse(base::str_cat("Dense::units is ", layer.units), "Give it at least 1 unit");
  }
  builder.check(layer.kernel_initializer, "kernel_initializer");
  builder.check(layer.bias_initializer, "bias_initializer");
  builder.check(layer.kernel_regularizer, "kernel_regularizer");
  builder.check(layer.bias_regularizer, "bias_regularizer");
  const DenseShape shape{builder.rows_per_example(), builder.columns(),
                         static_cast<std::size_t>(layer.units)};
  Shape out = builder.input().shape;
  out.back() = layer.units;
  const std::string what = base::str_cat(shape.inputs, " inputs and ", shape.units, " units");
  builder.check_size({static_cast<std::int64_t>(shape.inputs), layer.units}, what);
  builder.check_size(out, what);
  Dense linear = layer;
  if (!fuses(layer.activation, builder)) linear.activation = Activation::kLinear;
  builder.emit(std::make_unique<DenseOperation>(builder.name(), shape, linear), std::move(out));
  if (linear.activation != layer.activation) build_activation(layer.activation, builder);
}

}  // namespace dtrain::inline v0::model
