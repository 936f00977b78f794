#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dtrain/dtype.h"
#include "dtrain/variable.h"

namespace dtrain::inline v0::tensor {

using dtrain::DType;

template <typename T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::kFloat32;
  if constexpr (std::is_same_v<T, std::int32_t>) return DType::kInt32;
  if constexpr (std::is_same_v<T, std::int64_t>) return DType::kInt64;
  if constexpr (std::is_same_v<T, std::string_view>) return DType::kString;
}

/// A dense row-major tensor that somebody else owns; the first dimension counts examples. Strings
/// are std::string_view elements, whose bytes somebody else owns too.
struct View {
  DType dtype = DType::kFloat32;
  Shape shape;
  const void* data = nullptr;
  std::size_t count = 0;  ///< Elements: the product of `shape`.

  template <typename T>
  std::span<const T> as() const {
    assert(dtype == dtype_of<T>());
    return {static_cast<const T*>(data), count};
  }
};

template <typename T>
View view_of(std::span<const T> elements, Shape shape) {
  return {dtype_of<T>(), std::move(shape), elements.data(), elements.size()};
}

/// Examples that go through a model together. Borrowed from whoever made the batch, until it makes
/// the next one.
struct Batch {
  std::size_t size = 0;      ///< Examples, at least 1.
  std::vector<View> inputs;  ///< (size, ...), in the order of the model's inputs.
  /// In the order of the model's outputs: (size) int32 class ids, or (size, ...) float32. Empty for
  /// prediction.
  std::vector<View> targets;
  View weights;  ///< (size) float32, or without data: every example weighs 1.
  /// Each example's index in the data set, the counter of its random numbers (dropout).
  std::span<const std::uint64_t> example_indices;
};

}  // namespace dtrain::inline v0::tensor
