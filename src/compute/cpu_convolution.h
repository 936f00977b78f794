#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "compute/convolution.h"
#include "compute/cpu_runner.h"

namespace dtrain::inline v0::compute {

/// Convolutions on the CPU device's kernels and threads. The forward pass and the input's gradient
/// are one computation: a grid of pixels, each with a window in an image, which gets a margin of
/// zeros where windows reach over its edges. With a stride the pixels of the input's gradient fall
/// into phases that see different parts of the kernel. Confined as the device; allocates only to
/// grow.
class CpuConvolution {
 public:
  explicit CpuConvolution(CpuRunner& runner) : runner_(runner) {}

  void forward(const ConvolutionPass& pass);
  void backward(const ConvolutionBackwardPass& pass);

 private:
  /// Images that windows lie in. A copy of one with a margin is made where that is needed.
  struct Source {
    const float* data = nullptr;
    std::size_t height = 0;
    std::size_t width = 0;
    std::size_t channels = 0;
    std::size_t repeat = 1;  ///< Copies of each channel, next to each other.
    std::size_t top = 0;     ///< Rows and columns of zeros in front.
    std::size_t left = 0;
    std::size_t padded_height = 0;
    std::size_t padded_width = 0;
    bool copied = false;

    std::size_t image_count() const { return height * width * channels; }
    std::size_t pixel() const { return channels * repeat; }
    std::size_t row() const { return padded_width * pixel(); }
    std::size_t padded_count() const { return padded_height * row(); }
  };
  /// A tap along one dimension: its index in the kernel, and how far it is from the window's first.
  struct AxisTap {
    std::size_t index = 0;
    std::size_t offset = 0;
  };
  /// Pixels of the result that see the same taps.
  struct Phase {
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::size_t in = 0;   ///< Where the first one's window begins,
    std::size_t out = 0;  ///< and where it is written.
    std::size_t first_tap = 0;
    std::size_t tap_count = 0;
    std::size_t run = 0;
    std::size_t kernel = 0;        ///< In the packed kernel,
    std::size_t kernel_group = 0;  ///< with so much for each group.
  };
  /// A computation, beside phases_ and taps_.
  struct Grid {
    Source source;
    std::size_t in_row = 0;  ///< Steps between windows.
    std::size_t in_column = 0;
    float* out = nullptr;
    std::size_t out_image = 0;
    std::size_t out_row = 0;
    std::size_t out_column = 0;
    std::size_t out_repeat = 1;  ///< Channels that are added up to one in the end.
    std::size_t groups = 1;
    std::size_t group_in = 0;  ///< Channels of a group.
    std::size_t group_out = 0;
    bool depthwise = false;
    const float* bias = nullptr;
    Activation activation = Activation::kLinear;
    float* kernel = nullptr;  ///< Packed.
  };

  /// What a computation reads of the kernel, and from which side.
  struct Kernel {
    std::span<const float> values;
    bool transposed = false;  ///< From the outputs to the inputs.
  };

  // Multiplications that take as long as one element of an elementwise operation.
  static constexpr std::size_t kProductsPerElement = 8;

  static bool is_depthwise(const ConvolutionShape& shape) {
    return shape.groups > 1 && shape.groups == shape.in_channels;
  }
  static constexpr std::size_t round_up(std::size_t count, std::size_t multiple) {
    return (count + multiple - 1) / multiple * multiple;
  }
  static Source with_margin(Source source);
  static Source forward_source(const ConvolutionShape& shape, const float* in);
  static Source gradient_source(const ConvolutionShape& shape, const float* out_gradient);
  static const float* prepared(const Source& source, std::size_t example, float* copy);

  /// Adds a phase with the taps in row_taps_ and column_taps_, and packs its part of the kernel.
  void add_phase(const ConvolutionShape& shape, const Grid& grid, const Kernel& kernel,
                 Phase phase);
  void add_gradient_phases(const ConvolutionShape& shape, const Grid& grid, const Kernel& kernel);
  void pack_panels(const ConvolutionShape& shape, const Grid& grid, const Kernel& kernel,
                   std::size_t group, float* to) const;
  void reset(const ConvolutionShape& shape, Grid& grid);
  void compute(std::size_t examples, const Grid& grid);
  void compute_image(const Grid& grid, const float* in, float* out) const;

  void input_gradient(const ConvolutionBackwardPass& pass);
  void kernel_gradient(const ConvolutionBackwardPass& pass);
  void kernel_gradient_of(const ConvolutionBackwardPass& pass, const Source& source, Range examples,
                          int thread, float* kernel_gradient, float* bias_gradient);

  CpuRunner& runner_;
  std::vector<Phase> phases_;
  std::size_t packed_ = 0;         ///< Elements of the packed kernel so far.
  std::vector<AxisTap> row_taps_;  ///< Of the phase that is being made.
  std::vector<AxisTap> column_taps_;
  std::vector<std::ptrdiff_t> taps_;
  std::vector<float*> partial_gradients_;  ///< Of each thread; null for those without.
};

}  // namespace dtrain::inline v0::compute
