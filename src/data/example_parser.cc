#include "data/example_parser.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/strings.h"
#include "data/examples.h"
#include "data/number.h"
#include "dtrain/error.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::data {

namespace {

using dtrain_pb::data::Feature;

Error invalid(std::string_view happened, std::string_view advice) {
  return Error(ErrorCode::kInvalidArgument, happened, advice);
}

const char* list_for(DType dtype) {
  if (dtype == DType::kFloat32) return "a float_list";
  return dtype == DType::kString ? "a bytes_list" : "an int64_list";
}

bool has_value(const Feature& feature) {
  return feature.has_bytes_list() || feature.has_float_list() || feature.has_int64_list();
}

const char* list_of(const Feature& feature) {
  if (feature.has_float_list()) return "a float_list";
  return feature.has_bytes_list() ? "a bytes_list" : "an int64_list";
}

bool has_list(const Feature& feature, DType dtype) {
  if (dtype == DType::kFloat32) return feature.has_float_list();
  return dtype == DType::kString ? feature.has_bytes_list() : feature.has_int64_list();
}

std::size_t value_count(const Feature& feature, DType dtype) {
  if (dtype == DType::kFloat32) return static_cast<std::size_t>(feature.float_list().value_size());
  if (dtype == DType::kString) return static_cast<std::size_t>(feature.bytes_list().value_size());
  return static_cast<std::size_t>(feature.int64_list().value_size());
}

std::string at(const RecordReader& reader, const std::string& feature) {
  return base::str_cat(reader.place(), ", feature ", in_quotes(feature), ": ");
}

bool is_class(std::int64_t id) { return id >= 0 && id <= std::numeric_limits<std::int32_t>::max(); }

// `width` times the value that a missing feature has.
Column missing_values(const TfRecordFeature& feature, std::size_t width, bool any_float) {
  Column column = empty_column({feature.name, feature.dtype, feature.shape});
  if (!feature.missing) return column;
  const std::string& text = *feature.missing;
  float number = 0.0F;
  std::int64_t integer = 0;
  bool right = true;
  if (feature.dtype == DType::kFloat32) {
    right = parse_float(text, number) == ParseStatus::kOk && (any_float || std::isfinite(number));
    column.values = std::vector<float>(width, number);
  } else if (feature.dtype == DType::kString) {
    column.values = Strings(std::vector<std::string>(width, text));
  } else {
    right = parse_int64(text, integer) == ParseStatus::kOk;
    if (feature.dtype == DType::kInt32) {
      right = right && is_class(integer);
      column.values = std::vector<std::int32_t>(width, static_cast<std::int32_t>(integer));
    } else {
      column.values = std::vector<std::int64_t>(width, integer);
    }
  }
  if (right) return column;
  throw invalid(base::str_cat("the TfRecordFeature ", in_quotes(feature.name), " is ",
                              dtype_name(feature.dtype), " and its missing is ", in_quotes(text)),
                "Give the value of an example that lacks it as text, e.g. \"0\"");
}

}  // namespace

ExampleParser::ExampleParser(TfRecordOptions options) : options_(std::move(options)) {
  if (options_.features.empty()) {
    throw invalid("TfRecordOptions::features is empty",
                  "List the names, types and shapes of the features to read");
  }
  for (const TfRecordFeature& feature : options_.features) {
    wanted_.push_back(wanted(feature, false));
  }
  for (const TfRecordFeature& feature : options_.targets) wanted_.push_back(wanted(feature, true));
  if (!options_.weight.empty()) wanted_.push_back(wanted({.name = options_.weight}, true));
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    const std::string& name = wanted_[i].feature.name;
    if (name.empty()) throw invalid("a TfRecordFeature has no name", "Name it");
    if (by_name_.emplace(name, i).second) continue;
    throw invalid(base::str_cat("TfRecordOptions lists ", in_quotes(name), " twice"),
                  "List it once: as a feature, a target, or the weight");
  }
}

ExampleParser::Wanted ExampleParser::wanted(const TfRecordFeature& feature, bool is_target) const {
  const bool right = is_target ? feature.dtype == DType::kFloat32 || feature.dtype == DType::kInt32
                               : feature.dtype != DType::kInt32;
  if (!right) {
    throw invalid(base::str_cat("the TfRecordFeature ", in_quotes(feature.name), " is ",
                                dtype_name(feature.dtype)),
                  is_target ? "Targets are DType::kInt32 for class ids, or kFloat32"
                            : "Give integer features as DType::kInt64");
  }
  Wanted wanted{.feature = feature, .width = tensor::element_count(feature.shape)};
  if (feature.dtype == DType::kInt32 && feature.shape == Shape{1}) wanted.feature.shape.clear();
  wanted.missing = missing_values(wanted.feature, wanted.width, options_.allow_non_finite);
  return wanted;
}

Examples ExampleParser::empty() const {
  Examples examples;
  for (std::size_t i = 0; i < options_.features.size() + options_.targets.size(); ++i) {
    const TfRecordFeature& feature = wanted_[i].feature;
    auto& columns = i < options_.features.size() ? examples.features : examples.targets;
    columns.push_back(empty_column({feature.name, feature.dtype, feature.shape}));
  }
  return examples;
}

std::size_t ExampleParser::find(std::size_t place, const std::string& key) {
  if (place >= last_.size()) last_.resize(place + 1, kNotWanted);
  std::size_t& last = last_[place];
  if (last != kNotWanted && wanted_[last].feature.name == key) return last;
  const auto found = by_name_.find(key);
  last = found == by_name_.end() ? kNotWanted : found->second;
  return last;
}

void ExampleParser::add(std::string_view record, const RecordReader& reader, Examples& to) {
  if (record.size() > std::numeric_limits<int>::max() ||
      !message_.ParseFromArray(record.data(), static_cast<int>(record.size()))) {
    throw invalid(base::str_cat(reader.place(), " holds no tf.Example"),
                  "Check that the file was written from serialized tf.train.Example messages");
  }
  for (Wanted& wanted : wanted_) wanted.found = nullptr;
  std::size_t place = 0;
  for (const auto& entry : message_.features().feature()) {
    const std::size_t index = find(place++, entry.key());
    if (index != kNotWanted && has_value(entry.value())) wanted_[index].found = &entry.value();
  }
  std::size_t next = 0;
  for (Column& column : to.features) append(wanted_[next++], reader, column);
  for (Column& column : to.targets) append(wanted_[next++], reader, column);
  if (next < wanted_.size()) append_weight(wanted_[next], reader, to.weights);
}

void ExampleParser::append(const Wanted& wanted, const RecordReader& reader, Column& to) const {
  const TfRecordFeature& feature = wanted.feature;
  const auto refuse = [&](const auto&... parts) {
    return invalid(at(reader, feature.name) + base::str_cat(parts...),
                   "Correct the file, or TfRecordOptions");
  };
  if (wanted.found == nullptr) {
    if (!feature.missing) {
      throw invalid(at(reader, feature.name) + "the example has none",
                    "Check the name, or say with TfRecordFeature::missing what it then is");
    }
    data::append_all(to, wanted.missing);
    return;
  }
  const Feature& found = *wanted.found;
  if (!has_list(found, feature.dtype)) {
    throw refuse("it is ", list_of(found), ", but ", dtype_name(feature.dtype), " takes ",
                 list_for(feature.dtype));
  }
  if (const std::size_t count = value_count(found, feature.dtype); count != wanted.width) {
    throw refuse("it has ", count, " values, but the shape ", tensor::to_string(feature.shape),
                 " takes ", wanted.width);
  }
  if (auto* floats = std::get_if<std::vector<float>>(&to.values)) {
    const auto& values = found.float_list().value();
    for (const float value : values) {
      if (!std::isfinite(value) && !options_.allow_non_finite) throw refuse("it is ", value);
    }
    floats->insert(floats->end(), values.begin(), values.end());
  } else if (auto* integers = std::get_if<std::vector<std::int64_t>>(&to.values)) {
    const auto& values = found.int64_list().value();
    integers->insert(integers->end(), values.begin(), values.end());
  } else if (auto* classes = std::get_if<std::vector<std::int32_t>>(&to.values)) {
    for (const std::int64_t id : found.int64_list().value()) {
      if (!is_class(id)) throw refuse("the class ", id, " is not between 0 and 2147483647");
      classes->push_back(static_cast<std::int32_t>(id));
    }
  } else {
    for (const std::string& text : found.bytes_list().value()) {
      std::get<Strings>(to.values).add(text);
    }
  }
}

void ExampleParser::append_weight(const Wanted& wanted, const RecordReader& reader,
                                  std::vector<float>& weights) const {
  const bool has_one = wanted.found != nullptr && wanted.found->float_list().value_size() == 1;
  const float weight = has_one ? wanted.found->float_list().value(0) : -1.0F;
  if (!std::isfinite(weight) || weight < 0.0F) {
    throw invalid(at(reader, wanted.feature.name) + "there is no weight, one finite float from 0",
                  "Correct the file, or leave TfRecordOptions::weight empty");
  }
  weights.push_back(weight);
}

}  // namespace dtrain::inline v0::data
