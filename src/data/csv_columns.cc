#include "data/csv_columns.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/strings.h"
#include "data/examples.h"
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

const char* described(CsvColumn::Use use) {
  switch (use) {
    case CsvColumn::Use::kLabel:
      return "is the label";
    case CsvColumn::Use::kWeight:
      return "holds the weights";
    case CsvColumn::Use::kFeature:
    case CsvColumn::Use::kUnused:
      break;
  }
  return "is listed twice";
}

void use(const std::string& file, CsvColumn& column, const CsvColumn& as) {
  if (column.use != CsvColumn::Use::kUnused) {
    throw invalid(
        base::str_cat("column ", in_quotes(column.name), " of ", file, " ", described(column.use)),
        "Use it once: as the label, for the weights, or in one feature");
  }
  column.use = as.use;
  column.feature = as.feature;
  column.position = as.position;
}

// Every column that is nothing else yet.
std::vector<std::string> unused_columns(const std::string& file, const Positions& positions,
                                        CsvColumns& plan) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < plan.columns.size(); ++i) {
    const CsvColumn& column = plan.columns[i];
    if (column.use != CsvColumn::Use::kUnused) continue;
    if (column.name.empty()) {
      throw invalid(base::str_cat("column ", i + 1, " of ", file, " has no name"),
                    "Name it, or list the columns to use in CsvOptions::columns");
    }
    find_column(file, column.name, "columns", positions, plan);
    names.push_back(column.name);
  }
  return names;
}

void check_shape(const std::string& file, const CsvFeature& feature) {
  if (tensor::element_count(feature.shape) == feature.columns.size()) return;
  throw invalid(
      base::str_cat("the shape ", tensor::to_string(feature.shape), " of the feature ",
                    in_quotes(feature.name), " holds ", tensor::element_count(feature.shape),
                    " numbers, but ", feature.columns.size(), " columns of ", file, " are in it"),
      "Make them equal, or leave the shape empty for a vector");
}

void add_feature(const std::string& file, CsvFeature feature, const char* option,
                 const Positions& positions, CsvColumns& plan) {
  for (std::size_t i = 0; i < feature.columns.size(); ++i) {
    use(file, find_column(file, feature.columns[i], option, positions, plan),
        {.use = CsvColumn::Use::kFeature, .feature = plan.features.size(), .position = i});
  }
  if (feature.shape.empty()) feature.shape = {static_cast<std::int64_t>(feature.columns.size())};
  check_shape(file, feature);
  plan.features.push_back(std::move(feature));
}

// The columns that no one of CsvOptions::features takes.
void add_other_features(const std::string& file, const CsvOptions& options,
                        const Positions& positions, CsvColumns& plan) {
  std::vector<std::string> names =
      options.columns.empty() ? unused_columns(file, positions, plan) : options.columns;
  const DType dtype = options.integer_features ? DType::kInt64 : DType::kFloat32;
  if (!options.separate_columns) {
    if (names.empty()) return;
    add_feature(file,
                {.name = std::string(kFeatures),
                 .dtype = dtype,
                 .columns = std::move(names),
                 .shape = options.feature_shape,
                 .scale = options.scale},
                "columns", positions, plan);
    return;
  }
  for (std::string& name : names) {
    CsvFeature feature{.name = name, .dtype = dtype, .columns = {name}, .scale = options.scale};
    if (std::ranges::find(plan.features, name, &CsvFeature::name) != plan.features.end()) {
      throw invalid(base::str_cat("column ", in_quotes(name), " of ", file,
                                  " is a feature of its own, but one of CsvOptions::features is "
                                  "called so, too"),
                    "Call that differently, or list the columns to use in CsvOptions::columns");
    }
    add_feature(file, std::move(feature), "columns", positions, plan);
  }
}

}  // namespace

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
    use(file, find_column(file, options.label, "label", positions, plan),
        {.use = CsvColumn::Use::kLabel});
  }
  if (!options.weight.empty()) {
    use(file, find_column(file, options.weight, "weight", positions, plan),
        {.use = CsvColumn::Use::kWeight});
  }
  for (CsvFeature feature : options.features) {
    if (feature.columns.empty()) feature.columns = {feature.name};
    add_feature(file, std::move(feature), "features", positions, plan);
  }
  if (options.features.empty() || options.separate_columns) {
    add_other_features(file, options, positions, plan);
  }
  if (plan.features.empty()) {
    throw invalid(base::str_cat(file, " has no column but the label ", in_quotes(options.label)),
                  "Add feature columns; or check CsvOptions::delimiter");
  }
  return plan;
}

}  // namespace dtrain::inline v0::data
