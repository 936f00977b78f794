#include "model/operations.h"

#include <algorithm>
#include <utility>

#include "base/philox.h"
#include "tensor/initializer.h"

namespace dtrain::inline v0::model {
namespace {

using compute::ConstMatrix;
using compute::Matrix;

class DenseOperation final : public Operation {
 public:
  DenseOperation(std::string layer_name, DenseSpec spec)
      : name_(std::move(layer_name)), spec_(std::move(spec)) {}

  std::vector<VariableSpec> variables() const override {
    const auto inputs = static_cast<std::int64_t>(spec_.shape.inputs);
    const auto units = static_cast<std::int64_t>(spec_.shape.units);
    std::vector<VariableSpec> specs = {
        {name_ + "/kernel", {inputs, units}, spec_.kernel_initializer}};
    if (spec_.use_bias) specs.push_back({name_ + "/bias", {units}, spec_.bias_initializer});
    return specs;
  }
  void bind(std::span<const Place> places) override {
    kernel_ = places[0];
    if (spec_.use_bias) bias_ = places[1];
  }

  void forward(const Pass& pass, const float* in, float* out) const override {
    const std::size_t rows = pass.examples * spec_.shape.rows_per_example;
    pass.device.product({.a = {in, rows, spec_.shape.inputs},
                         .b = kernel(pass),
                         .bias = pass.values.subspan(bias_.offset, bias_.count),
                         .activation = spec_.activation,
                         .out = {out, rows, spec_.shape.units}});
  }

  void backward(const Pass& pass, const float* in, const float* out, float* out_gradient,
                float* in_gradient) const override {
    const auto [rows_per_example, inputs, units] = spec_.shape;
    const std::size_t rows = pass.examples * rows_per_example;
    const Matrix gradient{out_gradient, rows, units};
    if (spec_.activation != Activation::kLinear) {
      pass.device.activate_backward(spec_.activation, {out, rows, units}, gradient, gradient);
    }
    if (spec_.use_bias) {
      pass.device.column_sums(gradient, pass.gradients.subspan(bias_.offset, bias_.count));
    }
    // First what reads the kernel: it may change once it is known that its gradient is written.
    if (in_gradient != nullptr) {
      pass.device.product({.a = gradient,
                           .b = kernel(pass),
                           .transpose_b = true,
                           .out = {in_gradient, rows, inputs}});
    }
    const std::size_t piece = piece_rows();
    for (std::size_t row = 0; row < inputs; row += piece) {
      const std::size_t count = std::min(piece, inputs - row);
      const std::size_t first = kernel_.offset + row * units;
      pass.device.product({.a = {in + row, rows, count, inputs},
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
    const std::size_t rows = kPieceElements / std::max<std::size_t>(spec_.shape.units, 1);
    return std::max(rows / kMultiple * kMultiple, kMultiple);
  }
  ConstMatrix kernel(const Pass& pass) const {
    return {pass.values.data() + kernel_.offset, spec_.shape.inputs, spec_.shape.units};
  }

  const std::string name_;
  const DenseSpec spec_;
  Place kernel_;
  Place bias_;
};

class EmbeddingOperation final : public Operation {
 public:
  EmbeddingOperation(const std::string& layer_name, EmbeddingSpec spec)
      : name_(layer_name + "/embeddings"),
        spec_(std::move(spec)),
        width_(static_cast<std::size_t>(spec_.width)) {}

  std::vector<VariableSpec> variables() const override {
    return {{name_, {spec_.rows, spec_.width}, spec_.initializer}};
  }
  void bind(std::span<const Place> places) override { table_ = places[0]; }
  bool takes_ids() const override { return true; }

  void forward(const Pass& pass, const float* /*in*/, float* out) const override {
    const auto table =
        is_elsewhere() ? pass.rows : pass.values.subspan(table_.offset, table_.count);
    pass.device.gather_rows({table.data(), table.size() / width_, width_}, pass.ids,
                            {out, pass.ids.size(), width_});
  }
  void backward(const Pass& pass, const float* /*in*/, const float* /*out*/, float* out_gradient,
                float* /*in_gradient*/) const override {
    const auto table =
        is_elsewhere() ? pass.row_gradients : pass.gradients.subspan(table_.offset, table_.count);
    pass.device.sum_rows({out_gradient, pass.ids.size(), width_}, pass.ids,
                         {table.data(), table.size() / width_, width_});
  }

 private:
  bool is_elsewhere() const { return table_.count == 0; }

  const std::string name_;
  const EmbeddingSpec spec_;
  const std::size_t width_;
  Place table_;
};

class ActivationOperation final : public Operation {
 public:
  ActivationOperation(Activation activation, std::size_t rows_per_example, std::size_t columns)
      : activation_(activation), rows_per_example_(rows_per_example), columns_(columns) {}

  bool is_identity(bool /*training*/) const override { return activation_ == Activation::kLinear; }
  bool is_softmax() const override {
    return activation_ == Activation::kSoftmax && rows_per_example_ == 1;
  }

  void forward(const Pass& pass, const float* in, float* out) const override {
    const std::size_t rows = pass.examples * rows_per_example_;
    pass.device.activate(activation_, {in, rows, columns_}, {out, rows, columns_});
  }
  void backward(const Pass& pass, const float* /*in*/, const float* out, float* out_gradient,
                float* in_gradient) const override {
    if (in_gradient == nullptr) return;
    const std::size_t rows = pass.examples * rows_per_example_;
    pass.device.activate_backward(activation_, {out, rows, columns_},
                                  {out_gradient, rows, columns_}, {in_gradient, rows, columns_});
  }

 private:
  const Activation activation_;
  const std::size_t rows_per_example_;
  const std::size_t columns_;
};

class DropoutOperation final : public Operation {
 public:
  DropoutOperation(const std::string& layer_name, float rate, std::uint64_t seed,
                   std::size_t columns)
      : rate_(rate), columns_(columns) {
    const std::uint64_t stream = tensor::stream_of(layer_name);
    const auto words = base::philox(
        {static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32), 0, 0},
        {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
    key_ = std::uint64_t{words[1]} << 32 | words[0];
  }

  bool is_identity(bool training) const override { return !training || rate_ == 0.0F; }
  bool needs_example_indices() const override { return rate_ > 0.0F; }

  void forward(const Pass& pass, const float* in, float* out) const override { run(pass, in, out); }
  void backward(const Pass& pass, const float* /*in*/, const float* /*out*/, float* out_gradient,
                float* in_gradient) const override {
    if (in_gradient != nullptr) run(pass, out_gradient, in_gradient);
  }

 private:
  void run(const Pass& pass, const float* in, float* out) const {
    pass.device.dropout({.rate = rate_,
                         .key = key_,
                         .step = static_cast<std::uint32_t>(pass.step),
                         .example_indices = pass.example_indices,
                         .in = {in, pass.examples, columns_},
                         .out = {out, pass.examples, columns_}});
  }

  const float rate_;
  const std::size_t columns_;
  std::uint64_t key_ = 0;
};

}  // namespace

std::unique_ptr<Operation> make_dense(std::string layer_name, DenseSpec spec) {
  return std::make_unique<DenseOperation>(std::move(layer_name), std::move(spec));
}

std::unique_ptr<Operation> make_embedding(const std::string& layer_name, EmbeddingSpec spec) {
  return std::make_unique<EmbeddingOperation>(layer_name, std::move(spec));
}

std::unique_ptr<Operation> make_activation(Activation activation, std::size_t rows_per_example,
                                           std::size_t columns) {
  return std::make_unique<ActivationOperation>(activation, rows_per_example, columns);
}

std::unique_ptr<Operation> make_dropout(const std::string& layer_name, float rate,
                                        std::uint64_t seed, std::size_t columns) {
  return std::make_unique<DropoutOperation>(layer_name, rate, seed, columns);
}

}  // namespace dtrain::inline v0::model
