#include "dtrain/adapt.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <unordered_map>
#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0 {
namespace {

template <typename Owned, typename Key>
std::vector<Owned> most_frequent(std::span<const Key> values, std::size_t max_words) {
  std::unordered_map<Key, std::size_t> counts;
  for (const Key& value : values) ++counts[value];
  std::vector<std::pair<std::size_t, Key>> ordered;
  ordered.reserve(counts.size());
  for (const auto& [value, count] : counts) ordered.emplace_back(count, value);
  std::ranges::sort(ordered, std::ranges::greater());
  if (max_words > 0 && ordered.size() > max_words) ordered.resize(max_words);
  std::vector<Owned> words;
  words.reserve(ordered.size());
  for (const auto& [count, value] : ordered) words.emplace_back(value);
  return words;
}

}  // namespace

Normalization adapt_normalization(const Dataset& data, std::string_view feature) {
  const auto values = data.feature<float>(feature);
  const auto info = std::ranges::find(data.features(), feature, &FeatureInfo::name);
  const std::size_t columns =
      info->shape.empty() ? 1 : static_cast<std::size_t>(info->shape.back());
  const auto rows = static_cast<double>(values.size() / columns);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("feature \"", feature, "\" of example ",
                              i / (values.size() / data.size()), " is ", values[i]),
                "Replace what is not a number before a mean of it is taken");
  }
  Normalization layer;
  for (std::size_t column = 0; column < columns; ++column) {
    double sum = 0.0;
    for (std::size_t i = column; i < values.size(); i += columns) {
      sum += static_cast<double>(values[i]);
    }
    const double mean = sum / rows;
    double squares = 0.0;
    for (std::size_t i = column; i < values.size(); i += columns) {
      const double difference = static_cast<double>(values[i]) - mean;
      squares += difference * difference;
    }
    layer.mean.push_back(static_cast<float>(mean));
    layer.variance.push_back(static_cast<float>(squares / rows));
  }
  return layer;
}

std::vector<std::string> adapt_vocabulary(const Dataset& data, std::string_view feature,
                                          std::size_t max_words) {
  return most_frequent<std::string>(data.feature<std::string_view>(feature), max_words);
}

std::vector<std::int64_t> adapt_integer_vocabulary(const Dataset& data, std::string_view feature,
                                                   std::size_t max_words) {
  return most_frequent<std::int64_t>(data.feature<std::int64_t>(feature), max_words);
}

}  // namespace dtrain::inline v0
