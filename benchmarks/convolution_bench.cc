// Convolutions, forward and backward, with bias and relu: the layers of a small network for
// pictures of digits, and larger ones. The limit is products of matrices as large as those that a
// convolution over copied windows would multiply, without the copies.
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

namespace dtrain::benchmarks {
namespace {

using compute::ConvolutionShape;

// One layer with its memory.
class ConvolutionLayer {
 public:
  explicit ConvolutionLayer(const ConvolutionShape& shape)
      : shape_(shape),
        device_(compute::cpu_device()),
        in_(fill(shape.in_count(), 1.0F)),
        kernel_(fill(shape.kernel_count(), 0.1F)),
        bias_(fill(shape.out_channels, 1.0F)),
        out_(shape.out_count()),
        out_gradient_(fill(shape.out_count(), 1.0F)),
        kernel_gradient_(kernel_.size()),
        bias_gradient_(bias_.size()),
        in_gradient_(in_.size()) {}

  double forward() {
    const bench::Stopwatch watch;
    device_->convolution({.shape = shape_,
                          .in = in_,
                          .kernel = kernel_,
                          .bias = bias_,
                          .activation = Activation::kRelu,
                          .out = out_});
    device_->synchronize();
    return watch.seconds();
  }

  double backward() {
    const bench::Stopwatch watch;
    device_->convolution_backward({.shape = shape_,
                                   .in = in_,
                                   .kernel = kernel_,
                                   .out_gradient = out_gradient_,
                                   .kernel_gradient = kernel_gradient_,
                                   .bias_gradient = bias_gradient_,
                                   .in_gradient = in_gradient_});
    device_->synchronize();
    return watch.seconds();
  }

  // Some outputs against sums in double precision. With the outputs' gradient g the sum of
  // g · (windows of in · kernel) is that of in · (its gradient), and of kernel · (its gradient).
  void check() {
    forward();
    backward();
    for (std::size_t i = 0; i < 16; ++i) {
      const std::size_t at = i * 7919 % out_.size();
      expect_near(out_[at], std::max(output(at), 0.0), "output");
    }
    double all = 0;
    for (std::size_t i = 0; i < out_.size(); ++i) {
      all += (output(i) - static_cast<double>(bias_[i % shape_.out_channels])) *
             static_cast<double>(out_gradient_[i]);
    }
    expect_near(dot(in_, in_gradient_), all, "input gradient's sum");
    expect_near(dot(kernel_, kernel_gradient_), all, "kernel gradient's sum");
  }

 private:
  // Numbers around 0 of about `scale`, none alike its neighbours.
  static std::vector<float> fill(std::size_t count, float scale) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      values[i] = scale * (static_cast<float>(i * 7919 % 1009) / 504.0F - 1.0F);
    }
    return values;
  }
  static double dot(const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    return sum;
  }
  // Before the activation.
  double output(std::size_t at) const {
    const auto& [examples, height, width, in_channels, out_channels, groups] = shape_;
    const std::size_t filter = at % out_channels;
    const std::size_t x = at / out_channels % width.out;
    const std::size_t y = at / out_channels / width.out % height.out;
    const std::size_t example = at / out_channels / width.out / height.out;
    double sum = static_cast<double>(bias_[filter]);
    for (std::size_t ky = 0; ky < height.window; ++ky) {
      for (std::size_t kx = 0; kx < width.window; ++kx) {
        const std::size_t from_y = y + ky - height.padding, from_x = x + kx - width.padding;
        if (from_y >= height.in || from_x >= width.in) continue;
        for (std::size_t c = 0; c < in_channels; ++c) {
          sum += static_cast<double>(
                     in_[((example * height.in + from_y) * width.in + from_x) * in_channels + c]) *
                 static_cast<double>(
                     kernel_[((ky * width.window + kx) * in_channels + c) * out_channels + filter]);
        }
      }
    }
    return sum;
  }
  static void expect_near(double value, double expected, const char* what) {
    if (std::abs(value - expected) <= 1e-2 + 1e-3 * std::abs(expected)) return;
    throw Error(ErrorCode::kInternal,
                base::str_cat("An ", what, " is ", value, " and should be ", expected));
  }

  const ConvolutionShape shape_;
  const std::unique_ptr<compute::Device> device_;
  std::vector<float> in_, kernel_, bias_, out_;
  std::vector<float> out_gradient_, kernel_gradient_, bias_gradient_, in_gradient_;
};

Comparison compare(const ConvolutionShape& shape, bool forward) {
  const auto layer = std::make_shared<ConvolutionLayer>(shape);
  layer->check();
  const std::size_t pixels = shape.examples * shape.height.out * shape.width.out;
  const std::size_t window = shape.height.window * shape.width.window * shape.in_channels;
  const std::size_t filters = shape.out_channels;
  Comparison comparison{.items = static_cast<double>(shape.examples)};
  if (forward) {
    const auto product =
        std::make_shared<bench::ProductLimit>(bench::ProductShape{pixels, window, filters});
    comparison.result = [=] { return layer->forward(); };
    comparison.limit = [=] { return product->sample(); };
    return comparison;
  }
  const auto kernel = std::make_shared<bench::ProductLimit>(
      bench::ProductShape{window, pixels, filters, true, false});
  const auto in = std::make_shared<bench::ProductLimit>(
      bench::ProductShape{pixels, filters, window, false, true});
  comparison.result = [=] { return layer->backward(); };
  comparison.limit = [=] { return kernel->sample() + in->sample(); };
  return comparison;
}

ConvolutionShape shape_of(std::size_t examples, std::size_t side, std::size_t in, std::size_t out,
                          compute::WindowPadding padding) {
  const compute::WindowAxis axis = compute::window_axis(side, 3, padding);
  return {examples, axis, axis, in, out, 1};
}

}  // namespace

void register_convolutions(const ProgramOptions& options) {
  using compute::WindowPadding;
  const std::vector<ConvolutionShape> shapes =
      options.small ? std::vector<ConvolutionShape>{shape_of(2, 9, 3, 5, WindowPadding::kSame)}
                    : std::vector<ConvolutionShape>{shape_of(64, 28, 1, 16, WindowPadding::kValid),
                                                    shape_of(64, 13, 16, 32, WindowPadding::kValid),
                                                    shape_of(8, 28, 64, 64, WindowPadding::kSame)};
  for (const ConvolutionShape& shape : shapes) {
    for (const bool forward : {true, false}) {
      add_case(base::str_cat("kernels/convolution/", forward ? "forward" : "backward", "/",
                             shape.examples, "x", shape.height.in, "x", shape.width.in, "x",
                             shape.in_channels, "x", shape.out_channels),
               options, [=] { return compare(shape, forward); });
    }
  }
}

}  // namespace dtrain::benchmarks
