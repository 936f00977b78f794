#pragma once

#include <cstdint>
#include <string_view>

namespace dtrain::inline v0 {

/// What the elements of a tensor are.
enum class DType : std::uint8_t {
  kFloat32,
  kInt32,
  kInt64,
  kString,  ///< Bytes, any of them; on the host only.
};

/// "float32", as Keras and NumPy call it. Static storage.
constexpr std::string_view dtype_name(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "float32";
    case DType::kInt32:
      return "int32";
    case DType::kInt64:
      return "int64";
    case DType::kString:
      return "string";
  }
  return "of an unknown type";
}

}  // namespace dtrain::inline v0
