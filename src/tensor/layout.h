#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dtrain/variable.h"

namespace dtrain::inline v0::tensor {

/// A variable's place in an arena.
struct LayoutEntry {
  std::string name;
  Shape shape;
  std::size_t offset = 0;  ///< First element, a multiple of 16 (64 bytes).
  std::size_t count = 0;   ///< Elements.

  std::size_t end() const { return offset + count; }
  /// Elements of one row of the first dimension (1 for vectors and scalars).
  std::size_t row_count() const;
};

/// Where each variable lies in a flat arena: in the order given, each on a 64-byte boundary.
/// Two processes that plan the same list get the same layout. Immutable.
class Layout {
 public:
  Layout() = default;
  /// Throws invalid_argument for an empty or repeated name, a size below 1, or a total beyond
  /// what an arena can address.
  static Layout plan(const std::vector<Variable>& variables);

  const std::vector<LayoutEntry>& entries() const { return entries_; }
  /// Elements of the whole arena, padding included.
  std::size_t count() const { return count_; }
  /// Null when there is no such variable.
  const LayoutEntry* find(std::string_view name) const;
  /// As find, but throws not_found that lists the names there are.
  const LayoutEntry& at(std::string_view name) const;

 private:
  std::vector<LayoutEntry> entries_;
  std::vector<std::size_t> by_name_;  ///< Indices of entries_, in the order of the names.
  std::size_t count_ = 0;
};

/// Elements of a tensor of this shape. Throws invalid_argument for a size below 1 or an overflow.
std::size_t element_count(const Shape& shape);

/// `(64, 128)`, as messages show shapes.
std::string to_string(const Shape& shape);

}  // namespace dtrain::inline v0::tensor
