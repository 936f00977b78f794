#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dtrain/dtype.h"
#include "dtrain/export.h"
#include "dtrain/variable.h"

namespace dtrain::inline v0 {

/// What a feature or a target of examples is.
struct FeatureInfo {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape = {1};  ///< Of one example; {} for one class id.

  bool operator==(const FeatureInfo&) const = default;
};

/// A growing list of strings that owns their bytes: few allocations for many strings. A value;
/// thread-compatible.
class DTRAIN_EXPORT Strings {
 public:
  Strings() = default;
  Strings(std::initializer_list<std::string_view> texts);
  Strings(const std::vector<std::string>& texts);  // NOLINT: a column's values may be given as one
  Strings(const Strings& other);
  Strings& operator=(const Strings& other);
  Strings(Strings&& other) noexcept;
  Strings& operator=(Strings&& other) noexcept;
  ~Strings() = default;

  std::size_t size() const noexcept { return views_.size(); }
  std::string_view operator[](std::size_t index) const { return views_[index]; }
  /// Valid until the list is changed, moved from, or gone.
  std::span<const std::string_view> views() const noexcept { return views_; }

  void add(std::string_view text) { views_.push_back(copy(text)); }
  /// Replaces the string at `index`, below size(). The memory of the old one stays taken.
  void set(std::size_t index, std::string_view text) { views_[index] = copy(text); }
  /// New strings are empty.
  void resize(std::size_t size) { views_.resize(size); }
  void reserve(std::size_t size) { views_.reserve(size); }
  /// Forgets the strings and keeps the memory for others.
  void clear() noexcept;

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };

  std::string_view copy(std::string_view text);
  char* take(std::size_t bytes);

  std::vector<std::string_view> views_;
  std::vector<Block> blocks_;
  std::size_t block_ = 0;  // The one that strings go into; those before it are full.
  std::size_t used_ = 0;   // Bytes of it.
};

/// In the order of DType's enumerators.
using ColumnValues =
    std::variant<std::vector<float>, std::vector<std::int32_t>, std::vector<std::int64_t>, Strings>;

/// One feature (or target) of several examples.
struct Column {
  std::string name;
  ColumnValues values;  ///< Of one example after the other, each row-major.
  Shape shape = {1};    ///< Of one example.

  DType dtype() const noexcept { return static_cast<DType>(values.index()); }
};

/// Several examples, column by column; all columns have equally many.
struct Examples {
  std::vector<Column> features;      ///< float32, int64 or strings.
  std::vector<Column> targets = {};  ///< float32, or int32 for class ids; none for prediction.
  /// How much each example counts in losses and weighted metrics. Empty: 1 each.
  std::vector<float> weights = {};

  /// Of the first feature, or of the first column there is.
  DTRAIN_EXPORT std::size_t size() const;
};

}  // namespace dtrain::inline v0
