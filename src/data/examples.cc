#include "data/examples.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/strings.h"
#include "data/number.h"
#include "dtrain/error.h"
#include "tensor/layout.h"

namespace dtrain::inline v0 {

std::size_t Examples::size() const {
  if (features.empty() && targets.empty()) return 0;
  const Column& first = features.empty() ? targets.front() : features.front();
  return data::elements(first) / data::width(first);
}

namespace data {

namespace {

Error invalid(std::string_view happened, std::string_view advice) {
  return Error(ErrorCode::kInvalidArgument, happened, advice);
}

template <typename T>
std::span<const T> view_elements(const std::vector<T>& values) {
  return values;
}
std::span<const std::string_view> view_elements(const Strings& values) { return values.views(); }

template <typename T>
void append_elements(std::vector<T>& to, std::span<const T> from) {
  to.insert(to.end(), from.begin(), from.end());
}
void append_elements(Strings& to, std::span<const std::string_view> from) {
  for (const std::string_view text : from) to.add(text);
}

// Calls `action` with the values of both, which have the same type.
template <typename Action>
void visit_both(Column& to, const Column& from, const Action& action) {
  std::visit(
      [&](auto& values) {
        action(values, view_elements(std::get<std::decay_t<decltype(values)>>(from.values)));
      },
      to.values);
}

template <typename Action>
void for_each_column(Examples& to, const Examples& from, const Action& action) {
  for (std::size_t i = 0; i < to.features.size(); ++i) action(to.features[i], from.features[i]);
  for (std::size_t i = 0; i < to.targets.size(); ++i) action(to.targets[i], from.targets[i]);
}

std::string described(std::string_view what, const Column& column) {
  return base::str_cat(what, " ", in_quotes(column.name));
}

void check_finite(std::span<const float> values, std::size_t width, const std::string& what) {
  const auto wrong =
      std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (wrong == values.end()) return;
  const auto at = static_cast<std::size_t>(wrong - values.begin());
  const std::string place = width == 1 ? "" : base::str_cat(" in element ", at % width);
  throw invalid(base::str_cat(what, " of example ", at / width, " is ", *wrong, place),
                "Replace it with a finite number, or leave the example out");
}

void check_classes(std::span<const std::int32_t> ids, std::size_t width, const std::string& what) {
  const auto negative =
      std::find_if(ids.begin(), ids.end(), [](std::int32_t id) { return id < 0; });
  if (negative == ids.end()) return;
  const auto at = static_cast<std::size_t>(negative - ids.begin());
  throw invalid(base::str_cat(what, " of example ", at / width, " is ", *negative),
                "Class ids count from 0; give float targets for regression");
}

void check_dtype(const Column& column, bool is_target, const std::string& what) {
  const DType dtype = column.dtype();
  const bool right =
      is_target ? dtype == DType::kFloat32 || dtype == DType::kInt32 : dtype != DType::kInt32;
  if (right) return;
  throw invalid(base::str_cat(what, " is ", dtype_name(dtype)),
                is_target ? "Give class ids as int32, or values as float32"
                          : "Give integer features as int64");
}

// Checks the columns and gives the number of examples, which all have or `count` says.
std::size_t check_columns(std::vector<Column>& columns, bool is_target, std::string_view where,
                          std::size_t count) {
  const char* const kind = is_target ? "target" : "feature";
  for (std::size_t i = 0; i < columns.size(); ++i) {
    Column& column = columns[i];
    if (column.name.empty()) {
      throw invalid(base::str_cat(where, kind, " ", i, " has no name"), "Name it");
    }
    const std::string what = base::str_cat(where, described(kind, column));
    const auto same_name = [&](const Column& other) { return other.name == column.name; };
    if (std::any_of(columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(i), same_name)) {
      throw invalid(base::str_cat(what, " comes twice"), "Give each a name of its own");
    }
    check_dtype(column, is_target, what);
    if (column.dtype() == DType::kInt32 && column.shape == Shape{1}) column.shape.clear();
    const std::size_t one = width(column);
    if (elements(column) % one != 0) {
      throw invalid(base::str_cat(what, " has ", elements(column),
                                  " elements, no whole number of examples of shape ",
                                  tensor::to_string(column.shape), ", ", one, " each"),
                    "The shape is that of one example; check it and the number of elements");
    }
    const std::size_t examples = elements(column) / one;
    if (count != std::numeric_limits<std::size_t>::max() && examples != count) {
      throw invalid(base::str_cat(what, " has ", examples, " examples, the first feature ", count),
                    "Give each column the same number of examples");
    }
    count = examples;
    if (const auto* floats = std::get_if<std::vector<float>>(&column.values)) {
      check_finite(*floats, one, what);
    } else if (const auto* ids = std::get_if<std::vector<std::int32_t>>(&column.values)) {
      check_classes(*ids, one, what);
    }
  }
  return count;
}

void check_weights(std::span<const float> weights, std::size_t count, std::string_view where) {
  if (weights.empty()) return;
  if (weights.size() != count) {
    throw invalid(base::str_cat(where, weights.size(), " weights for ", count, " examples"),
                  "Give one weight for each example, or none at all");
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (std::isfinite(weights[i]) && weights[i] >= 0.0F) continue;
    throw invalid(base::str_cat(where, "the weight of example ", i, " is ", weights[i]),
                  "Give a finite number from 0");
  }
}

bool same_columns(const std::vector<Column>& first, const std::vector<Column>& other) {
  return std::ranges::equal(first, other, [](const Column& a, const Column& b) {
    return a.name == b.name && a.dtype() == b.dtype() && a.shape == b.shape;
  });
}

}  // namespace

std::size_t width(const Column& column) { return tensor::element_count(column.shape); }

std::size_t elements(const Column& column) {
  return std::visit([](const auto& values) { return values.size(); }, column.values);
}

FeatureInfo info(const Column& column) { return {column.name, column.dtype(), column.shape}; }

std::vector<FeatureInfo> infos(const std::vector<Column>& columns) {
  std::vector<FeatureInfo> infos;
  infos.reserve(columns.size());
  for (const Column& column : columns) infos.push_back(info(column));
  return infos;
}

Column empty_column(const FeatureInfo& info) {
  Column column{info.name, {}, info.shape};
  switch (info.dtype) {
    case DType::kFloat32:
      break;
    case DType::kInt32:
      column.values.emplace<std::vector<std::int32_t>>();
      break;
    case DType::kInt64:
      column.values.emplace<std::vector<std::int64_t>>();
      break;
    case DType::kString:
      column.values.emplace<Strings>();
      break;
  }
  return column;
}

std::size_t element_bytes(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kInt32:
      return 4;
    case DType::kInt64:
      return 8;
    case DType::kString:
      break;
  }
  return sizeof(std::string_view);
}

tensor::View view(const Column& column, std::size_t begin, std::size_t count) {
  const std::size_t one = width(column);
  Shape shape{static_cast<std::int64_t>(count)};
  shape.insert(shape.end(), column.shape.begin(), column.shape.end());
  return {column.dtype(), std::move(shape),
          bytes(column) + begin * one * element_bytes(column.dtype()), count * one};
}

const std::byte* bytes(const Column& column) {
  return std::visit(
      [](const auto& values) {
        return reinterpret_cast<const std::byte*>(view_elements(values).data());
      },
      column.values);
}

void clear(Examples& examples) {
  const auto clear_column = [](Column& column) {
    std::visit([](auto& values) { values.clear(); }, column.values);
  };
  std::ranges::for_each(examples.features, clear_column);
  std::ranges::for_each(examples.targets, clear_column);
  examples.weights.clear();
}

Examples empty_like(const Examples& like) {
  Examples examples;
  for (const Column& column : like.features) {
    examples.features.push_back(empty_column(info(column)));
  }
  for (const Column& column : like.targets) {
    examples.targets.push_back(empty_column(info(column)));
  }
  return examples;
}

Examples sample(const Examples& examples) {
  Examples first = empty_like(examples);
  append(first, examples, 0, 1);
  return first;
}

void reserve(Examples& examples, std::size_t count) {
  const auto reserve_column = [count](Column& column) {
    std::visit([&](auto& values) { values.reserve(count * width(column)); }, column.values);
  };
  std::ranges::for_each(examples.features, reserve_column);
  std::ranges::for_each(examples.targets, reserve_column);
}

void append(Examples& to, const Examples& from, std::size_t begin, std::size_t count) {
  for_each_column(to, from, [&](Column& target, const Column& source) {
    const std::size_t one = width(source);
    visit_both(target, source, [&](auto& values, auto rows) {
      append_elements(values, rows.subspan(begin * one, count * one));
    });
  });
  if (from.weights.empty()) return;
  append_elements(to.weights, std::span<const float>(from.weights).subspan(begin, count));
}

void append(Examples& to, const Examples& from, std::span<const std::uint64_t> indices) {
  for_each_column(to, from, [&](Column& target, const Column& source) {
    const std::size_t one = width(source);
    visit_both(target, source, [&](auto& values, auto rows) {
      for (const std::uint64_t index : indices) {
        append_elements(values, rows.subspan(index * one, one));
      }
    });
  });
  if (from.weights.empty()) return;
  for (const std::uint64_t index : indices) to.weights.push_back(from.weights[index]);
}

void append_all(Column& to, const Column& from) {
  visit_both(to, from, [](auto& values, auto rows) { append_elements(values, rows); });
}

std::uint64_t memory_bytes(const Examples& examples) {
  std::uint64_t total = examples.weights.size() * sizeof(float);
  const auto add_column = [&total](const Column& column) {
    total += elements(column) * element_bytes(column.dtype());
    if (const auto* strings = std::get_if<Strings>(&column.values)) {
      for (const std::string_view text : strings->views()) total += text.size();
    }
  };
  std::ranges::for_each(examples.features, add_column);
  std::ranges::for_each(examples.targets, add_column);
  return total;
}

std::size_t check(Examples& examples, std::string_view where, bool may_be_empty) {
  if (examples.features.empty()) {
    throw invalid(base::str_cat(where, "the examples have no feature"), "Give at least one");
  }
  constexpr std::size_t kUnknown = std::numeric_limits<std::size_t>::max();
  const std::size_t count = check_columns(examples.features, false, where, kUnknown);
  check_columns(examples.targets, true, where, count);
  check_weights(examples.weights, count, where);
  if (count == 0 && !may_be_empty) {
    throw invalid(base::str_cat(where, "the data set has no example"),
                  "Give the features of at least one");
  }
  return count;
}

bool alike(const Examples& first, const Examples& other) {
  return same_columns(first.features, other.features) && same_columns(first.targets, other.targets);
}

void check_alike(const Examples& first, const Examples& other, std::string_view what) {
  const auto compare = [&](const char* kind, const std::vector<Column>& wanted,
                           const std::vector<Column>& got) {
    if (same_columns(wanted, got)) return;
    throw invalid(base::str_cat("the ", kind, " are ", list(infos(wanted)), ", but those of ", what,
                                " are ", list(infos(got))),
                  "Give both the same, in the same order");
  };
  compare("features", first.features, other.features);
  compare("targets", first.targets, other.targets);
  if (first.weights.empty() != other.weights.empty() && first.size() > 0 && other.size() > 0) {
    throw invalid(
        base::str_cat("only ", first.weights.empty() ? what : "the first", " has weights"),
        "Give both weights, or neither");
  }
}

std::string list(const std::vector<FeatureInfo>& columns) {
  if (columns.empty()) return "none";
  std::vector<std::string> texts;
  texts.reserve(columns.size());
  for (const FeatureInfo& column : columns) {
    texts.push_back(base::str_cat(in_quotes(column.name), " (", dtype_name(column.dtype), ", ",
                                  tensor::to_string(column.shape), ")"));
  }
  return base::join(texts);
}

}  // namespace data
}  // namespace dtrain::inline v0
