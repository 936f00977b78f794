// Dense layers, forward and backward, with bias and relu. The limit is the products of matrices
// alone, in the same shapes.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "bench/limits_product.h"
#include "bench/statistics.h"
#include "compute/cpu_device.h"
#include "dtrain/error.h"
#include "kernels_bench.h"
#include "model/graph.h"

namespace dtrain::benchmarks {
namespace {

struct Shape {
  std::size_t batch = 0;
  std::size_t inputs = 0;
  std::size_t units = 0;
};

// One layer with its memory. The kernel lies first, the bias behind it.
class DenseLayer {
 public:
  explicit DenseLayer(const Shape& shape)
      : shape_(shape),
        device_(compute::cpu_device()),
        graph_(model::build_graph(
            to_functional(
                {.input_shape = {static_cast<std::int64_t>(shape.inputs)},
                 .layers = {Dense{static_cast<std::int64_t>(shape.units), Activation::kRelu}}}),
            1)),
        values_(fill(values_memory_, kernel_count() + shape.units, 0.01F)),
        gradients_(fill(gradients_memory_, kernel_count() + shape.units, 0.0F)),
        in_(fill(in_memory_, shape.batch * shape.inputs, 1.0F)),
        out_(fill(out_memory_, shape.batch * shape.units, 0.0F)),
        out_gradient_(fill(out_gradient_memory_, shape.batch * shape.units, 1.0F)),
        in_gradient_(fill(in_gradient_memory_, shape.batch * shape.inputs, 0.0F)) {
    operation().bind(std::vector<model::Place>{{0, kernel_count()}, {kernel_count(), shape.units}});
    call_ = {.in = {in_.data()},
             .out = out_.data(),
             .out_gradient = out_gradient_.data(),
             .in_gradients = {in_gradient_.data()}};
  }

  double forward() {
    const bench::Stopwatch watch;
    operation().forward(pass(), call_);
    device_->synchronize();
    return watch.seconds();
  }

  double backward() {
    const std::vector<float> before(out_gradient_.begin(), out_gradient_.end());
    const bench::Stopwatch watch;
    operation().backward(pass(), call_);
    device_->synchronize();
    const double seconds = watch.seconds();
    std::ranges::copy(before, out_gradient_.begin());  // it may be overwritten
    return seconds;
  }

  // Some elements of every result against sums in double precision, one factor at a time.
  void check() {
    forward();
    backward();
    const auto [batch, inputs, units] = shape_;
    for (std::size_t i = 0; i < 16; ++i) {
      const std::size_t row = i * 7 % batch;
      const std::size_t input = i * 13 % inputs;
      const std::size_t unit = i * 11 % units;
      double out = values_[kernel_count() + unit];
      for (std::size_t k = 0; k < inputs; ++k) out += in(row, k) * kernel(k, unit);
      expect_near(out_[row * units + unit], std::max(out, 0.0), "output");
      double kernel_gradient = 0;
      for (std::size_t b = 0; b < batch; ++b) kernel_gradient += in(b, input) * gradient(b, unit);
      expect_near(gradients_[input * units + unit], kernel_gradient, "kernel gradient");
      double bias_gradient = 0;
      for (std::size_t b = 0; b < batch; ++b) bias_gradient += gradient(b, unit);
      expect_near(gradients_[kernel_count() + unit], bias_gradient, "bias gradient");
      double in_gradient = 0;
      for (std::size_t u = 0; u < units; ++u) in_gradient += gradient(row, u) * kernel(input, u);
      expect_near(in_gradient_[row * inputs + input], in_gradient, "input gradient");
    }
  }

 private:
  model::Operation& operation() { return *graph_.calls.front().operation; }
  std::size_t kernel_count() const { return shape_.inputs * shape_.units; }
  model::Pass pass() {
    return {.device = *device_,
            .examples = shape_.batch,
            .training = true,
            .values = values_,
            .gradients = gradients_};
  }
  // Numbers around 0 of about `scale`, none alike its neighbours.
  std::span<float> fill(compute::Buffer<float>& memory, std::size_t count, float scale) {
    const std::span<float> values = memory.reserve(*device_, count);
    for (std::size_t i = 0; i < count; ++i) {
      values[i] = scale * (static_cast<float>(i * 7919 % 1009) / 504.0F - 1.0F);
    }
    return values;
  }
  double in(std::size_t row, std::size_t input) const { return in_[row * shape_.inputs + input]; }
  double kernel(std::size_t input, std::size_t unit) const {
    return values_[input * shape_.units + unit];
  }
  // Of the output before the activation.
  double gradient(std::size_t row, std::size_t unit) const {
    const std::size_t at = row * shape_.units + unit;
    return out_[at] > 0 ? out_gradient_[at] : 0;
  }
  static void expect_near(double value, double expected, const char* what) {
    if (std::abs(value - expected) <= 1e-3 + 1e-3 * std::abs(expected)) return;
    throw Error(ErrorCode::kInternal,
                base::str_cat("An ", what, " is ", value, " and should be ", expected));
  }

  const Shape shape_;
  const std::unique_ptr<compute::Device> device_;
  const model::Graph graph_;  ///< Of this one layer.
  compute::Buffer<float> values_memory_;
  compute::Buffer<float> gradients_memory_;
  compute::Buffer<float> in_memory_;
  compute::Buffer<float> out_memory_;
  compute::Buffer<float> out_gradient_memory_;
  compute::Buffer<float> in_gradient_memory_;
  std::span<float> values_;
  std::span<float> gradients_;
  std::span<float> in_;
  std::span<float> out_;
  std::span<float> out_gradient_;
  std::span<float> in_gradient_;
  model::CallMemory call_;
};

Comparison compare(const Shape& shape, bool forward) {
  const auto [batch, inputs, units] = shape;
  const auto layer = std::make_shared<DenseLayer>(shape);
  layer->check();
  Comparison comparison{.items = static_cast<double>(batch)};
  if (forward) {
    const auto product =
        std::make_shared<bench::ProductLimit>(bench::ProductShape{batch, inputs, units});
    comparison.result = [=] { return layer->forward(); };
    comparison.limit = [=] { return product->sample(); };
    return comparison;
  }
  const auto kernel =
      std::make_shared<bench::ProductLimit>(bench::ProductShape{inputs, batch, units, true, false});
  const auto in =
      std::make_shared<bench::ProductLimit>(bench::ProductShape{batch, units, inputs, false, true});
  comparison.result = [=] { return layer->backward(); };
  comparison.limit = [=] { return kernel->sample() + in->sample(); };
  return comparison;
}

}  // namespace

void register_dense_layers(const ProgramOptions& options) {
  const std::vector<Shape> shapes =
      options.small ? std::vector<Shape>{{16, 64, 32}}
                    : std::vector<Shape>{{64, 784, 1024}, {64, 1024, 1024}, {64, 1024, 10}};
  for (const Shape& shape : shapes) {
    for (const bool forward : {true, false}) {
      add_case(base::str_cat("kernels/dense/", forward ? "forward" : "backward", "/", shape.batch,
                             "x", shape.inputs, "x", shape.units),
               options, [=] { return compare(shape, forward); });
    }
  }
}

}  // namespace dtrain::benchmarks
