#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace dtrain::inline v0 {

/// Sizes of a tensor's dimensions, outermost first; empty for a scalar.
using Shape = std::vector<std::int64_t>;

/// How a variable's gradients travel from workers to parameter servers; values and sums are fp32
/// everywhere.
enum class GradientType {
  kFloat32,
  /// IEEE 754 binary16: 11 significant bits; what rounds beyond 65504 becomes infinite, what is
  /// below 6e-8 zero.
  kFloat16,
  /// The upper half of fp32: 8 significant bits, fp32's range.
  kBFloat16,
};

/// A dense fp32 variable as it is declared to parameter servers.
struct Variable {
  std::string name;  ///< Unique among the variables declared together, e.g. "dense/kernel".
  Shape shape;       ///< Every size at least 1.
  /// First values, row-major, of rank 0 (the chief); borrowed until declare() returns. Empty
  /// means zeros. What other ranks give is not used.
  std::span<const float> initial = {};
  /// The same for all workers.
  GradientType gradient_type = GradientType::kFloat32;
};

}  // namespace dtrain::inline v0
