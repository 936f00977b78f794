#include "compute/window.h"

#include <algorithm>

namespace dtrain::inline v0::compute {

WindowAxis window_axis(std::size_t in, std::size_t window, WindowPadding padding, WindowStep step) {
  WindowAxis axis{.in = in, .window = window, .stride = step.stride, .dilation = step.dilation};
  const std::size_t extent = axis.extent();
  switch (padding) {
    case WindowPadding::kValid:
      axis.out = in < extent ? 0 : (in - extent) / step.stride + 1;
      break;
    case WindowPadding::kSame: {
      axis.out = (in + step.stride - 1) / step.stride;
      const std::size_t needed = axis.out == 0 ? 0 : (axis.out - 1) * step.stride + extent;
      axis.padding = (std::max(needed, in) - in) / 2;
      break;
    }
    case WindowPadding::kCausal:
      axis.padding = extent - 1;
      axis.out = in == 0 ? 0 : (in - 1) / step.stride + 1;
      break;
  }
  return axis;
}

WindowAxis window_over(std::size_t in) { return {.in = in, .window = in}; }

}  // namespace dtrain::inline v0::compute
