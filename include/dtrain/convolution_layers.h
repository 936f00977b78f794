#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "dtrain/activation.h"
#include "dtrain/initializers.h"
#include "dtrain/regularizer.h"

namespace dtrain::inline v0 {

// Convolutions and pooling, channels last: an example is (length, channels) or (height, width,
// channels). Sizes are {height, width}.

/// What surrounds an input (keras: "valid", "same", "causal").
enum class Padding {
  kValid,   ///< Nothing: windows lie inside.
  kSame,    ///< Zeros, so that outputs are inputs / strides, rounded up; the odd one at the end.
  kCausal,  ///< Zeros in front, so that no output sees a later input. Conv1D alone.
};

/// Keras's Conv2D. Variables "<name>/kernel" (height, width, channels / groups, filters) and
/// "<name>/bias" (filters).
struct Conv2D {
  std::int64_t filters = 0;                          ///< At least 1.
  std::array<std::int64_t, 2> kernel_size = {1, 1};  ///< At least 1.
  std::array<std::int64_t, 2> strides = {1, 1};
  Padding padding = Padding::kValid;  ///< kValid or kSame.
  std::array<std::int64_t, 2> dilation_rate = {1, 1};
  std::int64_t groups = 1;  ///< Divides channels and filters.
  Activation activation = Activation::kLinear;
  bool use_bias = true;
  Initializer kernel_initializer = GlorotUniform{};
  Initializer bias_initializer = Zeros{};
  Regularizer kernel_regularizer = {};
  Regularizer bias_regularizer = {};
  std::string name = {};  ///< Empty: "conv2d", "conv2d_1", ... in order.

  bool operator==(const Conv2D&) const = default;
};

/// Keras's Conv1D. Variables "<name>/kernel" (length, channels / groups, filters) and
/// "<name>/bias" (filters).
struct Conv1D {
  std::int64_t filters = 0;
  std::int64_t kernel_size = 1;
  std::int64_t strides = 1;
  Padding padding = Padding::kValid;
  std::int64_t dilation_rate = 1;
  std::int64_t groups = 1;
  Activation activation = Activation::kLinear;
  bool use_bias = true;
  Initializer kernel_initializer = GlorotUniform{};
  Initializer bias_initializer = Zeros{};
  Regularizer kernel_regularizer = {};
  Regularizer bias_regularizer = {};
  std::string name = {};  ///< Empty: "conv1d", "conv1d_1", ... in order.

  bool operator==(const Conv1D&) const = default;
};

/// Keras's DepthwiseConv2D: each channel has `depth_multiplier` filters of its own. Variables
/// "<name>/kernel" (height, width, channels, depth_multiplier) and "<name>/bias" (channels *
/// depth_multiplier).
struct DepthwiseConv2D {
  std::array<std::int64_t, 2> kernel_size = {1, 1};
  std::array<std::int64_t, 2> strides = {1, 1};
  Padding padding = Padding::kValid;  ///< kValid or kSame.
  std::int64_t depth_multiplier = 1;
  std::array<std::int64_t, 2> dilation_rate = {1, 1};
  Activation activation = Activation::kLinear;
  bool use_bias = true;
  Initializer depthwise_initializer = GlorotUniform{};
  Initializer bias_initializer = Zeros{};
  Regularizer depthwise_regularizer = {};
  Regularizer bias_regularizer = {};
  std::string name = {};  ///< Empty: "depthwise_conv2d", ...

  bool operator==(const DepthwiseConv2D&) const = default;
};

/// The largest of each window (keras.layers.MaxPooling2D).
struct MaxPooling2D {
  std::array<std::int64_t, 2> pool_size = {2, 2};
  std::array<std::int64_t, 2> strides = {0, 0};  ///< 0: as pool_size.
  Padding padding = Padding::kValid;
  std::string name = {};  ///< Empty: "max_pooling2d", ...

  bool operator==(const MaxPooling2D&) const = default;
};

/// The mean of each window; padding does not count (keras.layers.AveragePooling2D).
struct AveragePooling2D {
  std::array<std::int64_t, 2> pool_size = {2, 2};
  std::array<std::int64_t, 2> strides = {0, 0};  ///< 0: as pool_size.
  Padding padding = Padding::kValid;
  std::string name = {};  ///< Empty: "average_pooling2d", ...

  bool operator==(const AveragePooling2D&) const = default;
};

/// The same over (length, channels).
struct MaxPooling1D {
  std::int64_t pool_size = 2;
  std::int64_t strides = 0;  ///< 0: as pool_size.
  Padding padding = Padding::kValid;
  std::string name = {};  ///< Empty: "max_pooling1d", ...

  bool operator==(const MaxPooling1D&) const = default;
};

struct AveragePooling1D {
  std::int64_t pool_size = 2;
  std::int64_t strides = 0;  ///< 0: as pool_size.
  Padding padding = Padding::kValid;
  std::string name = {};  ///< Empty: "average_pooling1d", ...

  bool operator==(const AveragePooling1D&) const = default;
};

/// The largest of all positions: (height, width, channels) becomes (channels)
/// (keras.layers.GlobalMaxPooling2D).
struct GlobalMaxPooling2D {
  std::string name = {};  ///< Empty: "global_max_pooling2d", ...

  bool operator==(const GlobalMaxPooling2D&) const = default;
};

/// Their mean.
struct GlobalAveragePooling2D {
  std::string name = {};  ///< Empty: "global_average_pooling2d", ...

  bool operator==(const GlobalAveragePooling2D&) const = default;
};

/// The same over (length, channels).
struct GlobalMaxPooling1D {
  std::string name = {};  ///< Empty: "global_max_pooling1d", ...

  bool operator==(const GlobalMaxPooling1D&) const = default;
};

struct GlobalAveragePooling1D {
  std::string name = {};  ///< Empty: "global_average_pooling1d", ...

  bool operator==(const GlobalAveragePooling1D&) const = default;
};

}  // namespace dtrain::inline v0
