// What can be wrong with CsvOptions before any file is read.
#include <cmath>
#include <set>
#include <string_view>

#include "base/strings.h"
#include "data/csv_columns.h"
#include "data/number.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::data {

namespace {

Error invalid(std::string_view happened, std::string_view advice) {
  return Error(ErrorCode::kInvalidArgument, happened, advice);
}

void validate_scale(float scale, const std::string& option) {
  if (std::isfinite(scale) && scale != 0.0F) return;
  throw invalid(base::str_cat(option, " is ", scale),
                "Set it to a finite number other than 0, e.g. 1.0F / 255");
}

void validate_missing(const CsvFeature& feature, const std::string& place, bool any_float) {
  if (!feature.missing || feature.dtype == DType::kString) return;
  float number = 0.0F;
  std::int64_t integer = 0;
  const bool right = feature.dtype == DType::kFloat32
                         ? parse_float(*feature.missing, number) == ParseStatus::kOk &&
                               (any_float || std::isfinite(number))
                         : parse_int64(*feature.missing, integer) == ParseStatus::kOk;
  if (right) return;
  throw invalid(base::str_cat(place, " is ", dtype_name(feature.dtype), " and its missing is ",
                              in_quotes(*feature.missing)),
                "Give what an empty field counts as, written as in the file, e.g. \"0\"");
}

void validate_feature(const CsvFeature& feature, bool any_float) {
  const std::string place = base::str_cat("the CsvFeature ", in_quotes(feature.name));
  if (feature.dtype == DType::kInt32) {
    throw invalid(base::str_cat(place, " is int32"), "Give integer features as DType::kInt64");
  }
  validate_scale(feature.scale, base::str_cat("the scale of ", place));
  if (feature.scale != 1.0F && feature.dtype != DType::kFloat32) {
    throw invalid(base::str_cat(place, " is ", dtype_name(feature.dtype), " and has the scale ",
                                feature.scale),
                  "Only floats are scaled: leave scale at 1");
  }
  validate_missing(feature, place, any_float);
}

void validate_features(const CsvOptions& options) {
  std::set<std::string_view> names;
  for (const CsvFeature& feature : options.features) {
    if (feature.name.empty()) throw invalid("a CsvFeature has no name", "Name it");
    if (!names.insert(feature.name).second) {
      throw invalid(
          base::str_cat("two of CsvOptions::features are called ", in_quotes(feature.name)),
          "Give each a name of its own");
    }
    validate_feature(feature, options.allow_non_finite);
  }
  const bool of_columns =
      !options.columns.empty() || options.integer_features || options.scale != 1.0F;
  if (!options.features.empty() && of_columns && !options.separate_columns) {
    throw invalid("CsvOptions has features and also columns, scale or integer_features",
                  "Say it of each feature, or set separate_columns for the other columns");
  }
  if (!options.feature_shape.empty() && (options.separate_columns || !options.features.empty())) {
    throw invalid("CsvOptions has a feature_shape but not one feature",
                  "Give each of CsvOptions::features its shape");
  }
}

void validate_label(const CsvOptions& options) {
  if (!options.label.empty() && options.label_kind == LabelKind::kNone) {
    throw invalid(base::str_cat("CsvOptions::label is ", in_quotes(options.label),
                                " but label_kind is kNone"),
                  "Set label to \"\" for a file without labels, or label_kind to kClassId or "
                  "kValue");
  }
  if (options.label_vocabulary.empty()) return;
  if (options.label.empty() || options.label_kind != LabelKind::kClassId) {
    throw invalid("CsvOptions has a label_vocabulary but no label of classes",
                  "Name the label column and set label_kind to kClassId");
  }
  std::set<std::string_view> classes;
  for (const std::string& name : options.label_vocabulary) {
    if (!classes.insert(name).second) {
      throw invalid(base::str_cat("CsvOptions::label_vocabulary has ", in_quotes(name), " twice"),
                    "List each class once");
    }
  }
}

}  // namespace

void validate(const CsvOptions& options) {
  validate_scale(options.scale, "CsvOptions::scale");
  if (options.integer_features && options.scale != 1.0F) {
    throw invalid(
        base::str_cat("CsvOptions::scale is ", options.scale, " and integer_features is set"),
        "Integers are not scaled: leave scale at 1");
  }
  constexpr std::string_view kNoDelimiter("\"\r\n\0", 4);
  if (kNoDelimiter.find(options.delimiter) != std::string_view::npos) {
    throw invalid(base::str_cat("CsvOptions::delimiter is the character number ",
                                static_cast<int>(options.delimiter)),
                  "Set it to the character between fields, e.g. ',' or ';' or a tab; a quote, a "
                  "line break and NUL cannot be it");
  }
  validate_label(options);
  validate_features(options);
}

}  // namespace dtrain::inline v0::data
