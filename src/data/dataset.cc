#include "dtrain/dataset.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/strings.h"
#include "data/csv_reader.h"
#include "data/dataset_access.h"
#include "data/example_parser.h"
#include "data/examples.h"
#include "data/gzip_file.h"
#include "data/number.h"
#include "data/record_reader.h"
#include "dtrain/error.h"
#include "tensor/layout.h"

namespace dtrain::inline v0 {

namespace {

Error invalid(std::string_view happened, std::string_view advice) {
  return Error(ErrorCode::kInvalidArgument, happened, advice);
}

template <typename T>
Examples one_feature(std::span<const T> features, const Shape& shape) {
  if (shape.empty()) {
    throw invalid("feature_shape is empty", "Give one example's shape: {1} for a single number");
  }
  return {.features = {{std::string(data::kFeatures),
                        std::vector<T>(features.begin(), features.end()), shape}}};
}

template <typename T>
void add_target(Examples& examples, std::span<const T> targets, const Shape& shape) {
  if (std::is_same_v<T, float> && shape.empty()) {
    throw invalid("target_shape is empty", "Give one example's shape: {1} for a single number");
  }
  examples.targets.push_back(
      {std::string(data::kTargets), std::vector<T>(targets.begin(), targets.end()), shape});
}

std::shared_ptr<const data::Table> make_table(Examples examples) {
  auto table = std::make_shared<data::Table>();
  table->size = examples.size();
  table->features = data::infos(examples.features);
  table->targets = data::infos(examples.targets);
  table->examples = std::move(examples);
  return table;
}

template <typename T>
constexpr DType dtype_for() {
  return tensor::dtype_of<T>();
}

/// The values of examples [begin, begin + size) of the column called `name`.
template <typename T>
std::span<const T> values_of(const std::vector<Column>& columns, const char* kind,
                             std::string_view name, std::size_t begin, std::size_t size) {
  const auto found = std::ranges::find(columns, name, &Column::name);
  if (found == columns.end()) {
    throw Error(ErrorCode::kNotFound,
                base::str_cat("the data set has no ", kind, " ", data::in_quotes(name)),
                base::str_cat("It has ", data::list(data::infos(columns))));
  }
  if (found->dtype() != dtype_for<T>()) {
    throw invalid(base::str_cat(kind, " ", data::in_quotes(name), " is ",
                                dtype_name(found->dtype()), ", not ", dtype_name(dtype_for<T>())),
                  "Ask for its own type");
  }
  return data::view(*found, begin, size).template as<T>();
}

}  // namespace

namespace data {

Dataset DatasetAccess::make(Examples examples) { return Dataset(make_table(std::move(examples))); }
const Examples& DatasetAccess::examples(const Dataset& dataset) { return dataset.table_->examples; }

}  // namespace data

Dataset::Dataset(std::shared_ptr<const data::Table> table)
    : table_(std::move(table)), size_(table_->size) {}

Dataset Dataset::from_columns(Examples examples) {
  data::check(examples, "");
  return data::DatasetAccess::make(std::move(examples));
}

Dataset Dataset::from_memory(std::span<const float> features, const Shape& feature_shape) {
  return from_columns(one_feature(features, feature_shape));
}

Dataset Dataset::from_memory(std::span<const float> features, const Shape& feature_shape,
                             std::span<const std::int32_t> labels) {
  Examples examples = one_feature(features, feature_shape);
  add_target(examples, labels, {});
  return from_columns(std::move(examples));
}

Dataset Dataset::from_memory(std::span<const float> features, const Shape& feature_shape,
                             std::span<const float> targets, const Shape& target_shape) {
  Examples examples = one_feature(features, feature_shape);
  add_target(examples, targets, target_shape);
  return from_columns(std::move(examples));
}

Dataset Dataset::from_memory(std::span<const std::int64_t> features, const Shape& feature_shape) {
  return from_columns(one_feature(features, feature_shape));
}

Dataset Dataset::from_memory(std::span<const std::int64_t> features, const Shape& feature_shape,
                             std::span<const std::int32_t> labels) {
  Examples examples = one_feature(features, feature_shape);
  add_target(examples, labels, {});
  return from_columns(std::move(examples));
}

Dataset Dataset::from_memory(std::span<const std::int64_t> features, const Shape& feature_shape,
                             std::span<const float> targets, const Shape& target_shape) {
  Examples examples = one_feature(features, feature_shape);
  add_target(examples, targets, target_shape);
  return from_columns(std::move(examples));
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
  return data::DatasetAccess::make(reader.finish());
}

Dataset Dataset::from_tfrecord(const std::string& path, const TfRecordOptions& options) {
  data::ExampleParser parser(options);
  data::GzipFile file(path);
  data::RecordReader reader(
      path, [&file](std::span<char> buffer) { return file.read(buffer); },
      options.record_bytes_max);
  Examples examples = parser.empty();
  std::uint64_t left = 0;  // Bytes of records until the memory is counted again: that takes time.
  for (std::string_view record; reader.next(record);) {
    parser.add(record, reader, examples);
    if (record.size() <= left) {
      left -= record.size();
      continue;
    }
    left = options.memory_bytes_max / 64;
    if (data::memory_bytes(examples) <= options.memory_bytes_max) continue;
    throw Error(
        ErrorCode::kResourceExhausted,
        base::str_cat("the examples of ", path, " take more than the ", options.memory_bytes_max,
                      " bytes that TfRecordOptions::memory_bytes_max allows"),
        "Raise it, read fewer features, or read the file as a Pipeline");
  }
  if (examples.size() == 0) {
    throw invalid(base::str_cat(path, " has no record"), "Write at least one example into it");
  }
  return data::DatasetAccess::make(std::move(examples));
}

std::size_t Dataset::size() const noexcept { return size_; }
const std::vector<FeatureInfo>& Dataset::features() const noexcept { return table_->features; }
const std::vector<FeatureInfo>& Dataset::targets() const noexcept { return table_->targets; }

template <typename T>
std::span<const T> Dataset::feature(std::string_view name) const {
  return values_of<T>(table_->examples.features, "feature", name, begin_, size_);
}
template DTRAIN_EXPORT std::span<const float> Dataset::feature(std::string_view) const;
template DTRAIN_EXPORT std::span<const std::int64_t> Dataset::feature(std::string_view) const;
template DTRAIN_EXPORT std::span<const std::string_view> Dataset::feature(std::string_view) const;

template <typename T>
std::span<const T> Dataset::target(std::string_view name) const {
  return values_of<T>(table_->examples.targets, "target", name, begin_, size_);
}
template DTRAIN_EXPORT std::span<const float> Dataset::target(std::string_view) const;
template DTRAIN_EXPORT std::span<const std::int32_t> Dataset::target(std::string_view) const;

std::span<const float> Dataset::weights() const noexcept {
  const std::span<const float> all = table_->examples.weights;
  return all.empty() ? all : all.subspan(begin_, size_);
}

Dataset Dataset::slice(std::size_t begin, std::size_t count) const {
  if (count == 0 || begin > size_ || count > size_ - begin) {
    throw invalid(base::str_cat("the data set has ", size_, " examples, and not ", count,
                                " from example ", begin, " on"),
                  "Give a part of them, at least one");
  }
  Dataset part = *this;
  part.begin_ += begin;
  part.size_ = count;
  return part;
}

Dataset Dataset::take(std::size_t count) const { return slice(0, std::min(count, size_)); }

std::pair<Dataset, Dataset> Dataset::split(double last_fraction) const {
  const bool in_range = last_fraction > 0.0 && last_fraction < 1.0;
  const auto first =
      in_range
          ? static_cast<std::size_t>(std::floor(static_cast<double>(size_) * (1.0 - last_fraction)))
          : 0;
  if (first == 0 || first >= size_) {
    throw invalid(
        base::str_cat("the last ", last_fraction, " of ", size_, " examples leaves one part empty"),
        "Give a fraction between 0 and 1 that leaves both at least one example");
  }
  return {slice(0, first), slice(first, size_ - first)};
}

Dataset Dataset::subset(std::span<const std::uint64_t> indices) const {
  std::vector<std::uint64_t> places(indices.begin(), indices.end());
  for (std::uint64_t& place : places) {
    if (place >= size_) {
      throw invalid(base::str_cat("there is no example ", place, ": the data set has ", size_),
                    base::str_cat("Give indices from 0 to ", size_ - 1));
    }
    place += begin_;
  }
  Examples examples = data::empty_like(table_->examples);
  data::append(examples, table_->examples, places);
  return data::DatasetAccess::make(std::move(examples));
}

Dataset Dataset::concatenate(const Dataset& other) const {
  const Examples& mine = table_->examples;
  const Examples& theirs = other.table_->examples;
  data::check_alike(mine, theirs, "the other data set");
  Examples examples = data::empty_like(mine);
  data::reserve(examples, size_ + other.size_);
  data::append(examples, mine, begin_, size_);
  data::append(examples, theirs, other.begin_, other.size_);
  return data::DatasetAccess::make(std::move(examples));
}

}  // namespace dtrain::inline v0
