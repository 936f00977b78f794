#include "data/csv_columns.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/strings.h"
#include "data/number.h"
#include "dtrain/error.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::data {

namespace {

constexpr std::size_t kRepeated = static_cast<std::size_t>(-1);

using Positions = std::unordered_map<std::string_view, std::size_t>;

Error invalid(std::string_view happened, std::string_view advice) {
  return Error(ErrorCode::kInvalidArgument, happened, advice);
}

std::string list_columns(const std::vector<CsvColumn>& columns) {
  constexpr std::size_t kListedMax = 20;
  std::vector<std::string> names;
  for (const CsvColumn& column : columns) {
    if (names.size() == kListedMax) break;
    names.push_back(in_quotes(column.name));
  }
  std::string text = base::join(names);
  if (columns.size() > kListedMax) {
    text += base::str_cat(" and ", columns.size() - kListedMax, " more");
  }
  return text;
}

bool numbers_only(const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(), [](const std::string& name) {
    float ignored = 0.0F;
    return parse_float(name, ignored) == ParseStatus::kOk;
  });
}

Positions index_of(const std::vector<CsvColumn>& columns) {
  Positions positions;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto [place, is_new] = positions.emplace(columns[i].name, i);
    if (!is_new) place->second = kRepeated;
  }
  return positions;
}

// The column of this name, which must be there exactly once.
CsvColumn& find_column(const std::string& file, const std::string& name, const char* option,
                       const Positions& positions, CsvColumns& plan) {
  const auto found = positions.find(name);
  if (found == positions.end()) {
    throw invalid(base::str_cat(file, " has no column ", in_quotes(name), " (", option,
                                "); its columns are ", list_columns(plan.columns)),
                  base::str_cat("Set CsvOptions::", option, " to names of this list"));
  }
  if (found->second == kRepeated) {
    throw invalid(base::str_cat(file, " has more than one column ", in_quotes(name)),
                  "Give each column that is used a name of its own");
  }
  return plan.columns[found->second];
}

void use_as_feature(const std::string& file, CsvColumn& column, CsvColumns& plan) {
  if (column.use != CsvColumn::kUnused) {
    const char* already = column.use == CsvColumn::kLabel ? "is the label" : "is listed twice";
    throw invalid(base::str_cat("column ", in_quotes(column.name), " of ", file, " ", already),
                  "List it once in CsvOptions::columns, and not when it is the label");
  }
  column.use = static_cast<std::ptrdiff_t>(plan.feature_count++);
}

void use_all_as_features(const std::string& file, const Positions& positions, CsvColumns& plan) {
  for (std::size_t i = 0; i < plan.columns.size(); ++i) {
    CsvColumn& column = plan.columns[i];
    if (column.use == CsvColumn::kLabel) continue;
    if (column.name.empty()) {
      throw invalid(base::str_cat("column ", i + 1, " of ", file, " has no name"),
                    "Name it, or list the columns to use in CsvOptions::columns");
    }
    find_column(file, column.name, "columns", positions, plan);
    use_as_feature(file, column, plan);
  }
}

}  // namespace

void validate(const CsvOptions& options) {
  if (!std::isfinite(options.scale) || options.scale == 0.0F) {
    throw invalid(base::str_cat("CsvOptions::scale is ", options.scale),
                  "Set it to a finite number other than 0, e.g. 1.0F / 255");
  }
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
  if (!options.label.empty() && options.label_kind == LabelKind::kNone) {
    throw invalid(base::str_cat("CsvOptions::label is ", in_quotes(options.label),
                                " but label_kind is kNone"),
                  "Set label to \"\" for a file without labels, or label_kind to kClassId or "
                  "kValue");
  }
}

CsvColumns plan_columns(const std::string& file, std::vector<std::string> names,
                        const CsvOptions& options) {
  if (numbers_only(names)) {
    throw invalid(base::str_cat(file, " has no header: its first line holds only numbers (",
                                in_quotes(names.front()), ", ...)"),
                  "Put the column names on the first line");
  }
  CsvColumns plan;
  plan.columns.reserve(names.size());
  for (std::string& name : names) plan.columns.push_back({std::move(name)});
  const Positions positions = index_of(plan.columns);

  if (!options.label.empty()) {
    find_column(file, options.label, "label", positions, plan).use = CsvColumn::kLabel;
  }
  for (const std::string& name : options.columns) {
    use_as_feature(file, find_column(file, name, "columns", positions, plan), plan);
  }
  if (options.columns.empty()) use_all_as_features(file, positions, plan);
  if (plan.feature_count == 0) {
    throw invalid(base::str_cat(file, " has no column but the label ", in_quotes(options.label)),
                  "Add feature columns; or check CsvOptions::delimiter");
  }
  if (!options.feature_shape.empty() &&
      tensor::element_count(options.feature_shape) != plan.feature_count) {
    throw invalid(
        base::str_cat("CsvOptions::feature_shape ", tensor::to_string(options.feature_shape),
                      " holds ", tensor::element_count(options.feature_shape), " numbers, but ",
                      plan.feature_count, " columns of ", file, " are features"),
        "Make them equal, or leave feature_shape empty for a vector");
  }
  return plan;
}

}  // namespace dtrain::inline v0::data
