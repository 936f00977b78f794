#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dtrain/export.h"
#include "dtrain/variable.h"

namespace dtrain::inline v0 {

namespace data {
struct Examples;
}

/// What stands beside the features of an example.
enum class LabelKind {
  kNone,     ///< Nothing: for prediction.
  kClassId,  ///< One class id, an integer from 0, for classification losses.
  kValue,    ///< float numbers, for regression losses.
};

/// How a CSV file is read. Column names are those of the file's first line.
struct CsvOptions {
  /// The label column. Empty: the file has no labels, and every column may be a feature.
  std::string label = "label";
  LabelKind label_kind = LabelKind::kClassId;  ///< kClassId or kValue.
  /// The feature columns, in this order. Empty: every column but the label, in the file's order.
  std::vector<std::string> columns = {};
  /// Every feature is multiplied by it, e.g. 1.0F / 255 for bytes. Labels are not.
  float scale = 1.0F;
  /// Features are 64-bit integers, such as the ids that Embedding takes, and not floats.
  bool integer_features = false;
  /// The shape that one example's columns are read as, row-major, e.g. {8, 8, 1}. Empty: a vector.
  Shape feature_shape = {};
  char delimiter = ',';
  /// Whether `nan` and `inf` are numbers. They are errors otherwise.
  bool allow_non_finite = false;
  /// The most memory that the examples may take; also bounds what a gzip bomb can do.
  std::uint64_t memory_bytes_max = std::uint64_t{8} << 30;
};

/// Examples in memory: features of one shape, floats or integers (ids), and, unless it is for
/// prediction, a label each.
/// An immutable value; copies share the memory and are cheap. Thread-safe.
class DTRAIN_EXPORT Dataset {
 public:
  /// Examples without labels. `features` holds them one after the other, each row-major with
  /// `feature_shape` (which does not count examples), and is copied. Throws invalid_argument when
  /// the lengths do not fit, there is no example, or a feature is not finite.
  static Dataset from_memory(std::span<const float> features, const Shape& feature_shape);
  /// The same with a class id for each example, which is copied too. Throws invalid_argument also
  /// when there are more or fewer labels than examples, or one is negative.
  static Dataset from_memory(std::span<const float> features, const Shape& feature_shape,
                             std::span<const std::int32_t> labels);
  /// The same with numbers of `target_shape` for each example.
  static Dataset from_memory(std::span<const float> features, const Shape& feature_shape,
                             std::span<const float> targets, const Shape& target_shape = {1});
  /// The same with integer features: ids for Embedding.
  static Dataset from_memory(std::span<const std::int64_t> features, const Shape& feature_shape);
  static Dataset from_memory(std::span<const std::int64_t> features, const Shape& feature_shape,
                             std::span<const std::int32_t> labels);
  static Dataset from_memory(std::span<const std::int64_t> features, const Shape& feature_shape,
                             std::span<const float> targets, const Shape& target_shape = {1});

  /// Reads a whole CSV file (RFC 4180: quoting, quotes doubled in quotes, CR LF or LF; blanks
  /// around unquoted fields and blank lines are skipped; a UTF-8 byte order mark too), plain or
  /// gzip as its content says. The first line names the columns. Labels of kind kValue get the
  /// shape {1}.
  ///
  /// Every error names the file and, where there is one, the line (line feeds are counted, from
  /// 1) and the column. Throws not_found (no such file), unavailable (it cannot be read),
  /// data_loss (damaged or truncated gzip), resource_exhausted (a limit), and invalid_argument for
  /// an empty file, a missing header, an unknown or repeated column, a line with too few or too
  /// many fields, an empty field, what is not a number (or no integer), and what is no class id.
  static Dataset from_csv(const std::string& path, const CsvOptions& options = {});

  std::size_t size() const noexcept;  ///< Examples, at least 1.
  /// Of one example.
  const Shape& feature_shape() const noexcept;
  LabelKind label_kind() const noexcept;
  /// Of one example's targets; empty unless the kind is kValue.
  const Shape& target_shape() const noexcept;

  /// Every example's features one after the other; valid as long as a copy of the data set. Empty
  /// when they are integers.
  std::span<const float> features() const noexcept;
  /// The same of integer features; empty when they are floats.
  std::span<const std::int64_t> integer_features() const noexcept;
  /// Every example's class id; empty unless the kind is kClassId.
  std::span<const std::int32_t> labels() const noexcept;
  /// Every example's targets; empty unless the kind is kValue.
  std::span<const float> targets() const noexcept;

 private:
  explicit Dataset(std::shared_ptr<const data::Examples> examples);

  std::shared_ptr<const data::Examples> examples_;
};

}  // namespace dtrain::inline v0
