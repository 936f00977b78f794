#include "compute/cpu_convolution.h"

#include <algorithm>
#include <cassert>

#include "compute/activation.h"

namespace dtrain::inline v0::compute {

CpuConvolution::Source CpuConvolution::with_margin(Source source) {
  source.copied = source.top > 0 || source.left > 0 || source.repeat > 1 ||
                  source.padded_height > source.height || source.padded_width > source.width;
  if (!source.copied) {
    source.padded_height = source.height;
    source.padded_width = source.width;
  }
  return source;
}

CpuConvolution::Source CpuConvolution::forward_source(const ConvolutionShape& shape,
                                                      const float* in) {
  const auto& [examples, height, width, in_channels, out_channels, groups] = shape;
  return with_margin({.data = in,
                      .height = height.in,
                      .width = width.in,
                      .channels = in_channels,
                      .repeat = is_depthwise(shape) ? out_channels / in_channels : 1,
                      .top = height.padding,
                      .left = width.padding,
                      .padded_height = (height.out - 1) * height.stride + height.extent(),
                      .padded_width = (width.out - 1) * width.stride + width.extent()});
}

/// An example's image as windows read it; `copy` has room for one with its margin.
const float* CpuConvolution::prepared(const Source& source, std::size_t example, float* copy) {
  const float* image = source.data + example * source.image_count();
  if (!source.copied) return image;
  std::fill_n(copy, source.padded_count(), 0.0F);
  const std::size_t rows = std::min(source.height, source.padded_height - source.top);
  const std::size_t columns = std::min(source.width, source.padded_width - source.left);
  for (std::size_t row = 0; row < rows; ++row) {
    const float* from = image + row * source.width * source.channels;
    float* to = copy + (source.top + row) * source.row() + source.left * source.pixel();
    const std::size_t count = columns * source.channels;
    if (source.repeat == 1) {
      std::copy_n(from, count, to);
      continue;
    }
    for (std::size_t i = 0; i < count; ++i) to = std::fill_n(to, source.repeat, from[i]);
  }
  return copy;
}

/// A group's kernel as convolve() wants it.
void CpuConvolution::pack_panels(const ConvolutionShape& shape, const Grid& grid,
                                 const Kernel& kernel, std::size_t group, float* to) const {
  const std::size_t group_in = shape.in_channels / shape.groups;
  const std::size_t first_out = group * (shape.out_channels / shape.groups);
  const std::size_t panel = runner_.kernels.convolution_panel;
  for (std::size_t first = 0; first < grid.group_out; first += panel) {
    const std::size_t count = std::min(panel, grid.group_out - first);
    for (const AxisTap& row : row_taps_) {
      for (const AxisTap& column : column_taps_) {
        const std::size_t tap = row.index * shape.width.window + column.index;
        const float* values =
            kernel.values.data() + tap * group_in * shape.out_channels + first_out;
        for (std::size_t k = 0; k < grid.group_in; ++k, to += panel) {
          if (kernel.transposed) {
            for (std::size_t c = 0; c < count; ++c) {
              to[c] = values[(first + c) * shape.out_channels + k];
            }
          } else {
            std::copy_n(values + k * shape.out_channels + first, count, to);
          }
          std::fill(to + count, to + panel, 0.0F);
        }
      }
    }
  }
}

void CpuConvolution::add_phase(const ConvolutionShape& shape, const Grid& grid,
                               const Kernel& kernel, Phase phase) {
  const std::size_t pixel = grid.source.pixel();
  // Where the pixels of a window's row lie next to each other, the row is one run.
  const bool is_run = !grid.depthwise && grid.groups == 1 && !column_taps_.empty() &&
                      column_taps_.back().offset == column_taps_.size() - 1;
  phase.first_tap = taps_.size();
  phase.run = is_run ? column_taps_.size() * grid.group_in : grid.group_in;
  for (const AxisTap& row : row_taps_) {
    for (const AxisTap& column : column_taps_) {
      taps_.push_back(
          static_cast<std::ptrdiff_t>(row.offset * grid.source.row() + column.offset * pixel));
      if (is_run) break;
    }
  }
  phase.tap_count = taps_.size() - phase.first_tap;
  phase.kernel = packed_;
  float* to = grid.kernel + packed_;
  if (grid.depthwise) {
    for (const AxisTap& row : row_taps_) {
      for (const AxisTap& column : column_taps_) {
        const std::size_t tap = row.index * shape.width.window + column.index;
        to = std::copy_n(kernel.values.data() + tap * shape.out_channels, shape.out_channels, to);
      }
    }
    packed_ += phase.tap_count * shape.out_channels;
  } else {
    phase.kernel_group =
        phase.tap_count * phase.run * round_up(grid.group_out, runner_.kernels.convolution_panel);
    for (std::size_t group = 0; group < grid.groups; ++group) {
      pack_panels(shape, grid, kernel, group, to + group * phase.kernel_group);
    }
    packed_ += grid.groups * phase.kernel_group;
  }
  phases_.push_back(phase);
}

/// Forgets all phases and makes room for the packed kernel.
void CpuConvolution::reset(const ConvolutionShape& shape, Grid& grid) {
  phases_.clear();
  taps_.clear();
  packed_ = 0;
  const std::size_t columns = grid.depthwise
                                  ? shape.out_channels
                                  : grid.groups * grid.group_in *
                                        round_up(grid.group_out, runner_.kernels.convolution_panel);
  grid.kernel = runner_.shared_scratch(shape.height.window * shape.width.window * columns);
}

void CpuConvolution::compute_image(const Grid& grid, const float* in, float* out) const {
  for (const Phase& phase : phases_) {
    ConvolutionTask task{.rows = phase.rows,
                         .columns = phase.columns,
                         .in_row = grid.in_row,
                         .in_column = grid.in_column,
                         .taps = taps_.data() + phase.first_tap,
                         .tap_count = phase.tap_count,
                         .run = phase.run,
                         .out_row = grid.out_row,
                         .out_column = grid.out_column};
    const std::size_t groups = grid.depthwise ? 1 : grid.groups;
    task.out_channels = grid.depthwise ? grid.groups * grid.group_out : grid.group_out;
    for (std::size_t group = 0; group < groups; ++group) {
      task.in = in + phase.in + group * grid.group_in;
      task.out = out + phase.out + group * grid.group_out;
      task.kernel = grid.kernel + phase.kernel + group * phase.kernel_group;
      task.bias = grid.bias != nullptr ? grid.bias + group * grid.group_out : nullptr;
      (grid.depthwise ? runner_.kernels.depthwise : runner_.kernels.convolve)(task);
    }
  }
}

void CpuConvolution::compute(std::size_t examples, const Grid& grid) {
  const std::size_t copy_count = grid.source.copied ? round_up(grid.source.padded_count(), 16) : 0;
  const std::size_t wide_count = grid.out_repeat > 1 ? grid.out_image * grid.out_repeat : 0;
  const std::size_t work = examples * grid.out_image * phases_.front().tap_count *
                           phases_.front().run / kProductsPerElement;
  runner_.split(work, examples, 1, [&](Range range, int thread) {
    float* copy = runner_.scratch(thread, copy_count + wide_count);
    float* wide = copy + copy_count;
    for (std::size_t example = range.begin; example < range.end; ++example) {
      float* out = grid.out + example * grid.out_image;
      compute_image(grid, prepared(grid.source, example, copy), wide_count > 0 ? wide : out);
      for (std::size_t i = 0; wide_count > 0 && i < grid.out_image; ++i) {
        out[i] = 0.0F;
        for (std::size_t j = 0; j < grid.out_repeat; ++j) out[i] += wide[i * grid.out_repeat + j];
      }
      if (grid.activation != Activation::kLinear) {
        runner_.kernels.activate(grid.activation, activation_default_constant(grid.activation),
                                 grid.out_image, out, out);
      }
    }
  });
}

void CpuConvolution::forward(const ConvolutionPass& pass) {
  const ConvolutionShape& shape = pass.shape;
  assert(pass.in.size() == shape.in_count() && pass.out.size() == shape.out_count());
  assert(pass.kernel.size() == shape.kernel_count());
  assert(pass.bias.empty() || pass.bias.size() == shape.out_channels);
  assert(!activation_is_over_rows(pass.activation));
  if (pass.out.empty()) return;
  Grid grid{.source = forward_source(shape, pass.in.data()),
            .out = pass.out.data(),
            .out_image = pass.out.size() / shape.examples,
            .out_row = shape.width.out * shape.out_channels,
            .out_column = shape.out_channels,
            .groups = shape.groups,
            .group_in = shape.in_channels / shape.groups,
            .group_out = shape.out_channels / shape.groups,
            .depthwise = is_depthwise(shape),
            .bias = pass.bias.empty() ? nullptr : pass.bias.data(),
            .activation = pass.activation};
  grid.in_row = shape.height.stride * grid.source.row();
  grid.in_column = shape.width.stride * grid.source.pixel();
  reset(shape, grid);
  const auto axis_taps = [](const WindowAxis& axis, std::vector<AxisTap>& taps) {
    taps.clear();
    for (std::size_t i = 0; i < axis.window; ++i) taps.push_back({i, i * axis.dilation});
  };
  axis_taps(shape.height, row_taps_);
  axis_taps(shape.width, column_taps_);
  add_phase(shape, grid, {.values = pass.kernel},
            {.rows = shape.height.out, .columns = shape.width.out});
  compute(shape.examples, grid);
}

}  // namespace dtrain::inline v0::compute
