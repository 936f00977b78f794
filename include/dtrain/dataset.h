#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dtrain/csv.h"
#include "dtrain/examples.h"
#include "dtrain/export.h"
#include "dtrain/tfrecord.h"
#include "dtrain/variable.h"

namespace dtrain::inline v0 {

namespace data {
struct DatasetAccess;
struct Table;
}  // namespace data

/// Examples in memory: named features of any shape, floats, integers or strings, and, unless they
/// are for prediction, named targets; a weight each if given.
/// An immutable value; copies and slices share the memory and are cheap. Thread-safe.
class DTRAIN_EXPORT Dataset {
 public:
  /// Takes the examples as they are:
  ///   Dataset::from_columns({.features = {{"age", ages}, {"city", cities}},
  ///                          .targets = {{"income", classes}}})
  /// Throws invalid_argument when there is no example or feature, columns differ in length, a name
  /// is empty or repeated, a feature is int32 or a target neither float32 nor int32, a float is not
  /// finite, a class id negative, or a weight below 0.
  static Dataset from_columns(Examples examples);

  /// Examples with one feature, called "features", and no targets. `features` holds one example
  /// after the other, each row-major with `feature_shape` (which does not count examples), and is
  /// copied. Throws invalid_argument when the lengths do not fit, there is no example, or a feature
  /// is not finite.
  static Dataset from_memory(std::span<const float> features, const Shape& feature_shape);
  /// The same with a class id for each example, which is copied too; the target is called
  /// "targets". Throws invalid_argument also when there are more or fewer labels than examples, or
  /// one is negative.
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
  /// many fields, an empty field, what is not a number (or no integer), and what is no class.
  static Dataset from_csv(const std::string& path, const CsvOptions& options = {});

  /// Reads a whole TFRecord file of tf.Example messages, plain or gzip as its content says. Errors
  /// name the file, the record (from 0), the byte where it begins, and the feature. Throws
  /// not_found, unavailable, data_loss (a wrong checksum, an end inside a record, damaged gzip),
  /// resource_exhausted (a limit), and invalid_argument for a file without records, what is no
  /// tf.Example, and a feature that is missing or has another type or number of values.
  static Dataset from_tfrecord(const std::string& path, const TfRecordOptions& options);

  std::size_t size() const noexcept;                          ///< Examples, at least 1.
  const std::vector<FeatureInfo>& features() const noexcept;  ///< At least one.
  const std::vector<FeatureInfo>& targets() const noexcept;   ///< None for prediction.

  /// A feature's values of every example one after the other; valid as long as a copy of the data
  /// set. T is float, std::int64_t or std::string_view. Throws not_found that lists the features,
  /// invalid_argument for another type.
  template <typename T>
  std::span<const T> feature(std::string_view name) const;
  /// The same of a target; T is float or std::int32_t.
  template <typename T>
  std::span<const T> target(std::string_view name) const;
  /// Every example's weight; empty when they have none.
  std::span<const float> weights() const noexcept;

  /// `count` examples from `begin` on, which are shared and not copied. Throws invalid_argument
  /// where they are not all there, or none.
  Dataset slice(std::size_t begin, std::size_t count) const;
  /// The first `count` examples, or all when there are fewer. Throws invalid_argument for 0.
  Dataset take(std::size_t count) const;
  /// The first examples, and the last: `last_fraction` of them, which is Keras's validation_split
  /// (and rounded as there: the first part has floor(size * (1 - last_fraction))). Throws
  /// invalid_argument when a part would be empty.
  std::pair<Dataset, Dataset> split(double last_fraction) const;
  /// Copies of these examples, in this order; an example may come several times. Throws
  /// invalid_argument for none, or an index that is not below size().
  Dataset subset(std::span<const std::uint64_t> indices) const;
  /// Copies of this data set's examples followed by the other's. Throws invalid_argument when their
  /// features or targets differ, or only one has weights.
  Dataset concatenate(const Dataset& other) const;

 private:
  friend struct data::DatasetAccess;
  explicit Dataset(std::shared_ptr<const data::Table> table);

  std::shared_ptr<const data::Table> table_;
  std::size_t begin_ = 0;
  std::size_t size_;
};

}  // namespace dtrain::inline v0
