#pragma once

#include <cstddef>
#include <cstdint>

// What the kernels of layers read and write. Plain data only, as kernels.h says.
namespace dtrain::inline v0::compute {

/// A grid of output pixels: each reads `run` elements at each of its taps, multiplies them with the
/// kernel and adds the bias. Steps and taps are in elements.
struct ConvolutionTask {
  std::size_t rows = 0;
  std::size_t columns = 0;
  const float* in = nullptr;
  std::size_t in_row = 0;     ///< From the window of a pixel to that below,
  std::size_t in_column = 0;  ///< and to that beside it.
  const std::ptrdiff_t* taps = nullptr;
  std::size_t tap_count = 0;
  std::size_t run = 0;  ///< Ignored by depthwise().
  std::size_t out_channels = 0;
  /// For convolve() panels of KernelTable::convolution_panel channels, one behind the other, each
  /// with a row of that width per element of a window; zeros where the channels end. For
  /// depthwise() a row of out_channels per tap.
  const float* kernel = nullptr;
  const float* bias = nullptr;  ///< out_channels, or null.
  float* out = nullptr;
  std::size_t out_row = 0;
  std::size_t out_column = 0;
};

/// Adds to the kernel's gradient what the pixels of some images give.
struct ConvolutionGradientTask {
  std::size_t images = 0;
  std::size_t rows = 0;
  std::size_t columns = 0;
  const float* in = nullptr;
  std::size_t in_image = 0;
  std::size_t in_row = 0;
  std::size_t in_column = 0;
  const std::ptrdiff_t* offsets = nullptr;  ///< Of the element that each row of the kernel meets.
  std::size_t kernel_rows = 0;              ///< Elements of a window, or taps for depthwise.
  /// Pixels follow each other without gaps but that of out_pixel elements. What lies up to
  /// KernelTable::convolution_panel elements behind the last is read and not used by
  /// convolve_gradient().
  const float* out_gradient = nullptr;
  std::size_t out_pixel = 0;
  std::size_t out_channels = 0;
  float* kernel_gradient = nullptr;
  std::size_t kernel_row = 0;
};

/// As WindowAxis, without dilation.
struct PoolingAxis {
  std::size_t in = 1;
  std::size_t out = 1;
  std::size_t window = 1;
  std::size_t stride = 1;
  std::size_t padding = 0;
};

/// Pooling of some images and its gradient; memory that a function has no use for is null.
struct PoolingTask {
  std::size_t images = 0;
  PoolingAxis height;
  PoolingAxis width;
  std::size_t channels = 0;
  const float* in = nullptr;
  const float* out = nullptr;  ///< What the forward pass wrote,
  float* result = nullptr;     ///< or where it does.
  const float* out_gradient = nullptr;
  float* in_gradient = nullptr;  ///< Zero at first.
};

/// Sums over the rows of a matrix, per column c, of terms of x = in[r][c] and g = gradient[r][c].
enum class ColumnTerm : std::uint8_t {
  kDifference,      ///< x - mean[c]
  kSquare,          ///< (x - mean[c])^2
  kGradient,        ///< g, and (second) g (x - mean[c])
  kGradientOfRows,  ///< g, and (second) g (x - mean[r]) factor[r]
};

struct ColumnTermsTask {
  ColumnTerm term = ColumnTerm::kDifference;
  std::size_t rows = 0;
  std::size_t columns = 0;
  const float* in = nullptr;
  const float* gradient = nullptr;
  const float* mean = nullptr;
  const float* factor = nullptr;
  double* sums = nullptr;    ///< `columns`, written.
  double* second = nullptr;  ///< The same, for terms that have one.
};

/// out[r][c] = (in[r][c] - mean[c]) scale[c] + shift[c], or the gradient of such a thing:
/// gradient[r][c] scale[c] + ((in[r][c] - mean[c]) slope[c] + shift[c]).
struct ColumnMapTask {
  std::size_t rows = 0;
  std::size_t columns = 0;
  const float* in = nullptr;
  const float* gradient = nullptr;
  const float* mean = nullptr;
  const float* scale = nullptr;
  const float* slope = nullptr;
  const float* shift = nullptr;
  float* out = nullptr;  ///< May be `in` or `gradient`.
};

/// Normalisation of each row, and then its gradient for the input.
struct RowNormalizationTask {
  std::size_t rows = 0;
  std::size_t columns = 0;
  const float* in = nullptr;
  const float* gamma = nullptr;  ///< `columns`, or null: 1.
  const float* beta = nullptr;   ///< The same: 0.
  float epsilon = 0.0F;
  float* out = nullptr;
  float* mean = nullptr;  ///< Written, of each row; or null, as inverse_deviation then.
  float* inverse_deviation = nullptr;
};

struct RowNormalizationBackwardTask {
  std::size_t rows = 0;
  std::size_t columns = 0;
  const float* in = nullptr;
  const float* gamma = nullptr;
  const float* mean = nullptr;
  const float* inverse_deviation = nullptr;
  const float* out_gradient = nullptr;
  float* in_gradient = nullptr;  ///< May be out_gradient.
};

/// Bag b is the rows ids[b * width] to ids[b * width + width - 1] of a table.
struct BagsTask {
  std::size_t bags = 0;
  std::size_t width = 0;
  std::size_t columns = 0;
  const std::int64_t* ids = nullptr;
  float factor = 1.0F;
  const float* in = nullptr;  ///< The table, or a row per bag.
  float* out = nullptr;       ///< A row per bag, or the table.
};

}  // namespace dtrain::inline v0::compute
