#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "compute/matrix.h"

namespace dtrain::inline v0::compute {

enum class CombineFunction : std::uint8_t { kAdd, kMultiply };

/// Element by element, from the first input to the last. The gradient of a product for one of its
/// factors is the product of the others and the result's gradient: the same call.
struct CombinePass {
  CombineFunction function = CombineFunction::kAdd;
  /// At least one; as large as `out`. The list itself is in the host's memory.
  std::span<const std::span<const float>> inputs;
  std::span<float> out;  ///< May be the first input.
};

/// Rows of both in steps of their own: one input's part of a concatenation, or back out of it.
struct CopyRowsPass {
  std::size_t rows = 0;
  std::size_t columns = 0;
  const float* from = nullptr;
  std::size_t from_stride = 0;  ///< Elements from a row to the next.
  float* to = nullptr;
  std::size_t to_stride = 0;
};

/// Repeats `in` along the dimensions in which its size is 1. Both shapes, in the host's memory,
/// have as many dimensions, at most kBroadcastRankMax.
struct BroadcastPass {
  std::span<const std::size_t> in_shape;
  std::span<const std::size_t> out_shape;
  std::span<const float> in;
  std::span<float> out;
};
constexpr std::size_t kBroadcastRankMax = 8;

/// in_gradient = sums of out_gradient over what was repeated.
struct BroadcastBackwardPass {
  std::span<const std::size_t> in_shape;
  std::span<const std::size_t> out_shape;
  std::span<const float> out_gradient;
  std::span<float> in_gradient;
};

/// Scalar products along the last dimension, for each example by itself: left is (examples,
/// left_rows, depth), right (examples, right_rows, depth), and out (examples, left_rows,
/// right_rows) has those of all pairs of rows. Keras's Dot(axes=-1); with one row each, that of
/// vectors.
struct DotShape {
  std::size_t examples = 1;
  std::size_t left_rows = 1;
  std::size_t right_rows = 1;
  std::size_t depth = 1;

  std::size_t left_count() const { return examples * left_rows * depth; }
  std::size_t right_count() const { return examples * right_rows * depth; }
  std::size_t out_count() const { return examples * left_rows * right_rows; }
};

struct DotPass {
  DotShape shape;
  std::span<const float> left;
  std::span<const float> right;
  std::span<float> out;  ///< Overlaps neither.
};

struct DotBackwardPass {
  DotShape shape;
  std::span<const float> left;
  std::span<const float> right;
  std::span<const float> out_gradient;
  std::span<float> left_gradient = {};  ///< Empty: not wanted.
  std::span<float> right_gradient = {};
};

/// Row b of out = factor times the sum of the table's rows ids[b * width] to
/// ids[b * width + width - 1]: with 1 / width their mean.
struct GatherBagsPass {
  ConstMatrix table;
  std::span<const std::int64_t> ids;  ///< Below table.rows.
  std::size_t width = 1;              ///< Of a bag; at least 1.
  float factor = 1.0F;
  Matrix out;
};

/// Each row of a bag in the table += factor times row b of in, in the order of ids.
struct ScatterBagsPass {
  ConstMatrix in;
  std::span<const std::int64_t> ids;
  std::size_t width = 1;
  float factor = 1.0F;
  Matrix table;
};

/// l1 * sum |x| + l2 * sum x^2.
struct Penalty {
  float l1 = 0.0F;
  float l2 = 0.0F;
};

}  // namespace dtrain::inline v0::compute
