#include "dtrain/dataset.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "data/csv_reader.h"
#include "data/examples.h"
#include "data/gzip_file.h"
#include "dtrain/error.h"
#include "tensor/layout.h"

namespace dtrain::inline v0 {

namespace {

Error invalid(std::string_view happened, std::string_view advice) {
  return Error(ErrorCode::kInvalidArgument, happened, advice);
}

void check_finite(std::span<const float> values, std::size_t width, std::string_view what) {
  const auto wrong =
      std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (wrong == values.end()) return;
  const auto at = static_cast<std::size_t>(wrong - values.begin());
  throw invalid(base::str_cat(what, " ", at % width, " of example ", at / width, " is ", *wrong),
                "Replace it with a finite number, or leave the example out");
}

void set_features(std::span<const float> features, std::size_t width, data::Examples& examples) {
  check_finite(features, width, "feature");
  examples.features.assign(features.begin(), features.end());
}
void set_features(std::span<const std::int64_t> features, std::size_t /*width*/,
                  data::Examples& examples) {
  examples.integer_features.assign(features.begin(), features.end());
}

template <typename Feature>
data::Examples with_features(std::span<const Feature> features, const Shape& feature_shape) {
  if (feature_shape.empty()) {
    throw invalid("feature_shape is empty", "Give one example's shape: {1} for a single number");
  }
  const std::size_t width = tensor::element_count(feature_shape);
  if (features.empty()) {
    throw invalid("the data set has no example", "Give the features of at least one");
  }
  if (features.size() % width != 0) {
    throw invalid(base::str_cat(features.size(),
                                " features are no whole number of examples of "
                                "shape ",
                                tensor::to_string(feature_shape), ", ", width, " numbers each"),
                  "feature_shape is the shape of one example; check it and the features' length");
  }
  data::Examples examples;
  examples.count = features.size() / width;
  examples.feature_shape = feature_shape;
  set_features(features, width, examples);
  return examples;
}

void set_labels(std::span<const std::int32_t> labels, data::Examples& examples) {
  if (labels.size() != examples.count) {
    throw invalid(base::str_cat(labels.size(), " labels for ", examples.count, " examples"),
                  "Give one label for each example");
  }
  const auto negative =
      std::find_if(labels.begin(), labels.end(), [](std::int32_t label) { return label < 0; });
  if (negative != labels.end()) {
    throw invalid(
        base::str_cat("the label of example ", negative - labels.begin(), " is ", *negative),
        "Class ids count from 0; give float targets for regression");
  }
  examples.label_kind = LabelKind::kClassId;
  examples.labels.assign(labels.begin(), labels.end());
}

void set_targets(std::span<const float> targets, const Shape& target_shape,
                 data::Examples& examples) {
  if (target_shape.empty()) {
    throw invalid("target_shape is empty", "Give one example's shape: {1} for a single number");
  }
  const std::size_t width = tensor::element_count(target_shape);
  if (targets.size() % width != 0 || targets.size() / width != examples.count) {
    throw invalid(
        base::str_cat(targets.size(), " targets for ", examples.count,
                      " examples with targets of shape ", tensor::to_string(target_shape)),
        base::str_cat("Give ", width, " for each example"));
  }
  check_finite(targets, width, "target");
  examples.label_kind = LabelKind::kValue;
  examples.target_shape = target_shape;
  examples.targets.assign(targets.begin(), targets.end());
}

}  // namespace

Dataset::Dataset(std::shared_ptr<const data::Examples> examples) : examples_(std::move(examples)) {}

Dataset Dataset::from_memory(std::span<const float> features, const Shape& feature_shape) {
  return Dataset(std::make_shared<data::Examples>(with_features(features, feature_shape)));
}

Dataset Dataset::from_memory(std::span<const float> features, const Shape& feature_shape,
                             std::span<const std::int32_t> labels) {
  data::Examples examples = with_features(features, feature_shape);
  set_labels(labels, examples);
  return Dataset(std::make_shared<data::Examples>(std::move(examples)));
}

Dataset Dataset::from_memory(std::span<const float> features, const Shape& feature_shape,
                             std::span<const float> targets, const Shape& target_shape) {
  data::Examples examples = with_features(features, feature_shape);
  set_targets(targets, target_shape, examples);
  return Dataset(std::make_shared<data::Examples>(std::move(examples)));
}

Dataset Dataset::from_memory(std::span<const std::int64_t> features, const Shape& feature_shape) {
  return Dataset(std::make_shared<data::Examples>(with_features(features, feature_shape)));
}

Dataset Dataset::from_memory(std::span<const std::int64_t> features, const Shape& feature_shape,
                             std::span<const std::int32_t> labels) {
  data::Examples examples = with_features(features, feature_shape);
  set_labels(labels, examples);
  return Dataset(std::make_shared<data::Examples>(std::move(examples)));
}

Dataset Dataset::from_memory(std::span<const std::int64_t> features, const Shape& feature_shape,
                             std::span<const float> targets, const Shape& target_shape) {
  data::Examples examples = with_features(features, feature_shape);
  set_targets(targets, target_shape, examples);
  return Dataset(std::make_shared<data::Examples>(std::move(examples)));
}

Dataset Dataset::from_csv(const std::string& path, const CsvOptions& options) {
  data::CsvReader reader(path, options);
  data::GzipFile file(path);
  std::vector<char> buffer(std::size_t{256} * 1024);
  std::size_t bytes = 0;
  do {
    bytes = file.read(buffer);
    reader.feed({buffer.data(), bytes});
  } while (bytes == buffer.size());
  return Dataset(std::make_shared<data::Examples>(reader.finish()));
}

std::size_t Dataset::size() const noexcept { return examples_->count; }
const Shape& Dataset::feature_shape() const noexcept { return examples_->feature_shape; }
LabelKind Dataset::label_kind() const noexcept { return examples_->label_kind; }
const Shape& Dataset::target_shape() const noexcept { return examples_->target_shape; }
std::span<const float> Dataset::features() const noexcept { return examples_->features; }
std::span<const std::int64_t> Dataset::integer_features() const noexcept {
  return examples_->integer_features;
}
std::span<const std::int32_t> Dataset::labels() const noexcept { return examples_->labels; }
std::span<const float> Dataset::targets() const noexcept { return examples_->targets; }

}  // namespace dtrain::inline v0
