#include <algorithm>
#include <cassert>

#include "compute/cpu_convolution.h"

namespace dtrain::inline v0::compute {
namespace {

// Images whose windows are summed into registers at a time: they stay in the first-level caches.
constexpr std::size_t kChunkElements = 16384;

std::size_t multiplications(const ConvolutionShape& shape) {
  return shape.out_count() * shape.height.window * shape.width.window *
         (shape.in_channels / shape.groups);
}

}  // namespace

// Input y is read by the outputs (y + padding - tap * dilation) / stride, where that is whole.
CpuConvolution::Source CpuConvolution::gradient_source(const ConvolutionShape& shape,
                                                       const float* out_gradient) {
  const auto front = [](const WindowAxis& axis) {
    const std::size_t reach = (axis.window - 1) * axis.dilation / axis.stride;
    const std::size_t first = axis.padding / axis.stride;
    return reach > first ? reach - first : 0;
  };
  const auto behind = [](const WindowAxis& axis) {
    return (axis.in - 1 + axis.padding) / axis.stride + 1;
  };
  const std::size_t top = front(shape.height);
  const std::size_t left = front(shape.width);
  return with_margin({.data = out_gradient,
                      .height = shape.height.out,
                      .width = shape.width.out,
                      .channels = shape.out_channels,
                      .top = top,
                      .left = left,
                      .padded_height = top + behind(shape.height),
                      .padded_width = left + behind(shape.width)});
}

void CpuConvolution::add_gradient_phases(const ConvolutionShape& shape, const Grid& grid,
                                         const Kernel& kernel) {
  struct AxisPhase {
    std::size_t first;  ///< Of the inputs in this phase,
    std::size_t count;
    std::size_t begin;  ///< and where its window begins.
  };
  // Inputs with (y + padding) % stride == phase; `margin` pixels of zeros lie in front.
  const auto of_axis = [](const WindowAxis& axis, std::size_t phase, std::size_t margin,
                          std::vector<AxisTap>& taps) {
    taps.clear();
    std::size_t reach = 0;
    for (std::size_t tap = axis.window; tap-- > 0;) {
      const std::size_t distance = tap * axis.dilation;
      if (distance % axis.stride != phase) continue;
      if (taps.empty()) reach = distance / axis.stride;
      taps.push_back({tap, reach - distance / axis.stride});
    }
    const std::size_t first = (phase + axis.stride - axis.padding % axis.stride) % axis.stride;
    const std::size_t count =
        first < axis.in ? (axis.in - first + axis.stride - 1) / axis.stride : 0;
    return AxisPhase{first, count, (first + axis.padding) / axis.stride + margin - reach};
  };
  for (std::size_t y = 0; y < shape.height.stride; ++y) {
    const AxisPhase rows = of_axis(shape.height, y, grid.source.top, row_taps_);
    for (std::size_t x = 0; x < shape.width.stride; ++x) {
      const AxisPhase columns = of_axis(shape.width, x, grid.source.left, column_taps_);
      if (rows.count == 0 || columns.count == 0) continue;
      const std::size_t channels = shape.in_channels * grid.out_repeat;
      add_phase(shape, grid, kernel,
                {.rows = rows.count,
                 .columns = columns.count,
                 .in = rows.begin * grid.source.row() + columns.begin * grid.source.pixel(),
                 .out = (rows.first * shape.width.in + columns.first) * channels});
    }
  }
}

void CpuConvolution::input_gradient(const ConvolutionBackwardPass& pass) {
  const ConvolutionShape& shape = pass.shape;
  const bool depthwise = is_depthwise(shape);
  const std::size_t repeat = depthwise ? shape.out_channels / shape.in_channels : 1;
  Grid grid{.source = gradient_source(shape, pass.out_gradient.data()),
            .out = pass.in_gradient.data(),
            .out_image = pass.in_gradient.size() / shape.examples,
            .out_row = shape.height.stride * shape.width.in * shape.in_channels * repeat,
            .out_column = shape.width.stride * shape.in_channels * repeat,
            .out_repeat = repeat,
            .groups = shape.groups,
            .group_in = shape.out_channels / shape.groups,
            .group_out = depthwise ? repeat : shape.in_channels / shape.groups,
            .depthwise = depthwise};
  grid.in_row = grid.source.row();
  grid.in_column = grid.source.pixel();
  reset(shape, grid);
  add_gradient_phases(shape, grid, {.values = pass.kernel, .transposed = true});
  compute(shape.examples, grid);
}

void CpuConvolution::kernel_gradient_of(const ConvolutionBackwardPass& pass, const Source& source,
                                        Range examples, int thread, float* kernel_gradient,
                                        float* bias_gradient) {
  const ConvolutionShape& shape = pass.shape;
  const bool depthwise = is_depthwise(shape);
  const std::size_t out_image = pass.out_gradient.size() / shape.examples;
  const std::size_t in_image = source.copied ? source.padded_count() : source.image_count();
  const std::size_t images_max = std::max<std::size_t>(1, kChunkElements / (in_image + out_image));
  const std::size_t slack = runner_.kernels.convolution_panel;
  const std::size_t in_count = source.copied ? round_up(images_max * in_image, 16) : 0;
  const std::size_t out_count = round_up(images_max * out_image + slack, 16);
  float* copies = runner_.scratch(thread, in_count + out_count + shape.out_channels);
  float* tail = copies + in_count;
  float* bias = tail + out_count;
  for (std::size_t first = examples.begin; first < examples.end; first += images_max) {
    const std::size_t images = std::min(images_max, examples.end - first);
    const float* gradient = pass.out_gradient.data() + first * out_image;
    // Behind the last example there is nothing that could be read.
    if (first + images == shape.examples) {
      std::copy_n(gradient, images * out_image, tail);
      gradient = tail;
    }
    const float* in = source.copied ? copies : source.data + first * in_image;
    for (std::size_t i = 0; source.copied && kernel_gradient != nullptr && i < images; ++i) {
      prepared(source, first + i, copies + i * in_image);
    }
    const std::size_t groups = depthwise ? 1 : shape.groups;
    const std::size_t group_out = shape.out_channels / groups;
    for (std::size_t group = 0; kernel_gradient != nullptr && group < groups; ++group) {
      (depthwise ? runner_.kernels.depthwise_gradient : runner_.kernels.convolve_gradient)(
          {.images = images,
           .rows = shape.height.out,
           .columns = shape.width.out,
           .in = in + group * (shape.in_channels / shape.groups),
           .in_image = in_image,
           .in_row = shape.height.stride * source.row(),
           .in_column = shape.width.stride * source.pixel(),
           .offsets = taps_.data(),
           .kernel_rows = taps_.size(),
           .out_gradient = gradient + group * group_out,
           .out_pixel = shape.out_channels,
           .out_channels = group_out,
           .kernel_gradient = kernel_gradient + group * group_out,
           .kernel_row = shape.out_channels});
    }
    if (bias_gradient != nullptr) {
      runner_.kernels.column_sums(images * shape.height.out * shape.width.out, shape.out_channels,
                                  shape.out_channels, gradient, bias);
      runner_.kernels.accumulate(shape.out_channels, bias_gradient, bias, 1.0F);
    }
  }
}

void CpuConvolution::kernel_gradient(const ConvolutionBackwardPass& pass) {
  const ConvolutionShape& shape = pass.shape;
  const Source source = forward_source(shape, pass.in.data());
  taps_.clear();
  const std::size_t elements = is_depthwise(shape) ? 1 : shape.in_channels / shape.groups;
  for (std::size_t row = 0; row < shape.height.window; ++row) {
    for (std::size_t column = 0; column < shape.width.window; ++column) {
      for (std::size_t i = 0; i < elements; ++i) {
        taps_.push_back(static_cast<std::ptrdiff_t>(row * shape.height.dilation * source.row() +
                                                    column * shape.width.dilation * source.pixel() +
                                                    i));
      }
    }
  }
  const std::size_t kernel_count = pass.kernel_gradient.size();
  const std::size_t count = kernel_count + pass.bias_gradient.size();
  partial_gradients_.assign(static_cast<std::size_t>(runner_.threads()), nullptr);
  // Each thread has a sum of its own; they are added in the threads' order.
  float* partials = runner_.shared_scratch(count * static_cast<std::size_t>(runner_.threads()));
  runner_.split(multiplications(shape) / kProductsPerElement, shape.examples, 1,
                [&](Range range, int thread) {
                  const auto t = static_cast<std::size_t>(thread);
                  float* partial = partials + t * count;
                  std::fill_n(partial, count, 0.0F);
                  partial_gradients_[t] = partial;
                  kernel_gradient_of(pass, source, range, thread,
                                     kernel_count > 0 ? partial : nullptr,
                                     count > kernel_count ? partial + kernel_count : nullptr);
                });
  std::fill(pass.kernel_gradient.begin(), pass.kernel_gradient.end(), 0.0F);
  std::fill(pass.bias_gradient.begin(), pass.bias_gradient.end(), 0.0F);
  for (const float* partial : partial_gradients_) {
    if (partial == nullptr) continue;
    runner_.kernels.accumulate(kernel_count, pass.kernel_gradient.data(), partial, 1.0F);
    runner_.kernels.accumulate(count - kernel_count, pass.bias_gradient.data(),
                               partial + kernel_count, 1.0F);
  }
}

void CpuConvolution::backward(const ConvolutionBackwardPass& pass) {
  [[maybe_unused]] const ConvolutionShape& shape = pass.shape;
  assert(pass.out_gradient.size() == shape.out_count());
  assert(pass.kernel_gradient.empty() || (pass.kernel_gradient.size() == shape.kernel_count() &&
                                          pass.in.size() == shape.in_count()));
  assert(pass.bias_gradient.empty() || pass.bias_gradient.size() == shape.out_channels);
  assert(pass.in_gradient.empty() || (pass.in_gradient.size() == shape.in_count() &&
                                      pass.kernel.size() == shape.kernel_count()));
  if (pass.out_gradient.empty()) {
    for (const auto& gradient : {pass.kernel_gradient, pass.bias_gradient, pass.in_gradient}) {
      std::fill(gradient.begin(), gradient.end(), 0.0F);
    }
    return;
  }
  if (!pass.in_gradient.empty()) input_gradient(pass);
  if (!pass.kernel_gradient.empty() || !pass.bias_gradient.empty()) kernel_gradient(pass);
}

}  // namespace dtrain::inline v0::compute
