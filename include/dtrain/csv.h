#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dtrain/dtype.h"
#include "dtrain/variable.h"

namespace dtrain::inline v0 {

/// What the label column of a file holds.
enum class LabelKind {
  kNone,     ///< Nothing: for prediction.
  kClassId,  ///< One class, as an id from 0 or by its name, for classification losses.
  kValue,    ///< A float number, for regression losses.
};

/// A feature that one or more columns of a CSV file make up.
struct CsvFeature {
  std::string name;
  DType dtype = DType::kFloat32;  ///< kFloat32, kInt64 or kString.
  /// In this order. Empty: the one column that has the feature's name.
  std::vector<std::string> columns = {};
  /// The shape that one example's columns are read as, row-major. Empty: a vector.
  Shape shape = {};
  /// What an empty field counts as, written as it would stand in the file; not scaled. Not set: an
  /// empty field is an error.
  std::optional<std::string> missing = std::nullopt;
  /// Floats are multiplied by it, e.g. 1.0F / 255 for bytes.
  float scale = 1.0F;
};

/// How a CSV file is read. Column names are those of the file's first line.
///
/// The features are: with `features` those; with `separate_columns` each column one, of its name;
/// otherwise all `columns` together one, called "features".
struct CsvOptions {
  /// The label column; the target has its name. Empty: the file has no labels, and every column may
  /// be a feature.
  std::string label = "label";
  LabelKind label_kind = LabelKind::kClassId;  ///< kClassId or kValue.
  /// The classes' names, in the order of their ids: what the label column holds instead of ids.
  std::vector<std::string> label_vocabulary = {};
  /// The column of the examples' weights, numbers from 0. Empty: none.
  std::string weight = {};
  /// The feature columns, in this order. Empty: every column that is nothing else, in the file's
  /// order.
  std::vector<std::string> columns = {};
  /// Every feature of `columns` is multiplied by it. Labels are not.
  float scale = 1.0F;
  /// Features of `columns` are 64-bit integers, such as the ids that Embedding takes, and not
  /// floats.
  bool integer_features = false;
  /// The shape that one example's `columns` are read as, row-major, e.g. {8, 8, 1}. Empty: a
  /// vector.
  Shape feature_shape = {};
  /// Features with a type and a name of their own.
  std::vector<CsvFeature> features = {};
  /// Each of `columns` is a feature of its own, called as the column, after those of `features`
  /// (whose columns are not among them).
  bool separate_columns = false;
  char delimiter = ',';
  /// Whether `nan` and `inf` are numbers. They are errors otherwise.
  bool allow_non_finite = false;
  /// The most memory that the examples may take; also bounds what a gzip bomb can do.
  std::uint64_t memory_bytes_max = std::uint64_t{8} << 30;
};

}  // namespace dtrain::inline v0
