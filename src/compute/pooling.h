#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "compute/window.h"

namespace dtrain::inline v0::compute {

/// Windows over images (examples, height, width, channels), each channel by itself; a height of 1
/// is one-dimensional, and window_over() all of a dimension is global pooling. What lies outside of
/// an image is in no window, and no window lies outside altogether. Without dilation.
struct PoolingShape {
  std::size_t examples = 1;
  WindowAxis height;
  WindowAxis width;
  std::size_t channels = 1;

  std::size_t in_count() const { return examples * height.in * width.in * channels; }
  std::size_t out_count() const { return examples * height.out * width.out * channels; }
};

enum class PoolingFunction : std::uint8_t {
  kMax,      ///< NaN where a window has one.
  kAverage,  ///< Over what is inside.
};

struct PoolingPass {
  PoolingFunction function = PoolingFunction::kMax;
  PoolingShape shape;
  std::span<const float> in;
  std::span<float> out;  ///< Not `in`.
};

/// Who gets the gradient of a largest element that a window has several times.
enum class PoolingTies : std::uint8_t {
  kFirst,   ///< The first in the image, as in Keras's pooling layers;
  kShared,  ///< all of them equal parts, as in Keras's global ones.
};

/// in_gradient from out_gradient, and for kMax from in and out = pooling(in).
struct PoolingBackwardPass {
  PoolingFunction function = PoolingFunction::kMax;
  PoolingTies ties = PoolingTies::kFirst;
  PoolingShape shape;
  std::span<const float> in = {};
  std::span<const float> out = {};
  std::span<const float> out_gradient;
  std::span<float> in_gradient;  ///< None of the others.
};

}  // namespace dtrain::inline v0::compute
