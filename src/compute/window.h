#pragma once

#include <cstddef>
#include <cstdint>

namespace dtrain::inline v0::compute {

/// How the edges of an image are handled.
enum class WindowPadding : std::uint8_t {
  kValid,   ///< Windows lie inside.
  kSame,    ///< One output per `stride` inputs; what is missing is shared by both ends, the larger
            ///< half behind.
  kCausal,  ///< No window reads behind its output's place: all of it in front.
};

/// Windows along one dimension of an image: output o reads the inputs
/// o * stride + w * dilation - padding for w below `window`; those outside are not there (a
/// convolution takes them for 0).
struct WindowAxis {
  std::size_t in = 1;
  std::size_t out = 1;
  std::size_t window = 1;
  std::size_t stride = 1;
  std::size_t dilation = 1;
  std::size_t padding = 0;  ///< In front. What is behind follows from `out`.

  /// Inputs from a window's first to its last.
  std::size_t extent() const { return (window - 1) * dilation + 1; }
};

struct WindowStep {
  std::size_t stride = 1;
  std::size_t dilation = 1;
};

/// Its `out` and `padding` as TensorFlow has them (tf.nn.convolution; Keras's "causal"). `out` is 0
/// where a window is larger than what it slides over. All arguments are at least 1.
WindowAxis window_axis(std::size_t in, std::size_t window, WindowPadding padding,
                       WindowStep step = {});

/// One window over all of it.
WindowAxis window_over(std::size_t in);

}  // namespace dtrain::inline v0::compute
