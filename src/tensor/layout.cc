#include "tensor/layout.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_set>

#include "base/strings.h"
#include "dtrain/error.h"
#include "tensor/arena.h"

namespace dtrain::inline v0::tensor {
namespace {

constexpr std::size_t kAlignmentCount = kArenaAlignmentBytes / sizeof(float);
constexpr std::size_t kElementsMax =
    static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max()) / sizeof(float);

std::size_t align_up(std::size_t count) {
  return (count + kAlignmentCount - 1) / kAlignmentCount * kAlignmentCount;
}

/// As element_count; `where` leads its messages.
std::size_t counted(const Shape& shape, const std::string& where) {
  std::size_t count = 1;
  for (const std::int64_t size : shape) {
    if (size < 1) {
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat(where, "shape ", to_string(shape), " has a size below 1"));
    }
    if (static_cast<std::size_t>(size) > kElementsMax / count) {
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat(where, "shape ", to_string(shape), " has too many elements"));
    }
    count *= static_cast<std::size_t>(size);
  }
  return count;
}

auto name_in(const std::vector<LayoutEntry>& entries) {
  return [&entries](std::size_t index) -> std::string_view { return entries[index].name; };
}

}  // namespace

std::size_t LayoutEntry::row_count() const {
  return shape.empty() ? 1 : count / static_cast<std::size_t>(shape.front());
}

Layout Layout::plan(const std::vector<Variable>& variables) {
  Layout layout;
  std::unordered_set<std::string_view> names;
  for (const Variable& variable : variables) {
    if (variable.name.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("variable ", layout.entries_.size(), " has an empty name"),
                  "Give every variable a name of its own");
    }
    if (!names.insert(variable.name).second) {
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("two variables are named \"", variable.name, "\""),
                  "Give every variable a name of its own");
    }
    LayoutEntry entry{.name = variable.name, .shape = variable.shape, .offset = layout.count_};
    entry.count = counted(variable.shape, base::str_cat("variable \"", variable.name, "\": "));
    if (entry.count > kElementsMax - entry.offset) {
      throw Error(ErrorCode::kInvalidArgument, "the variables together are too large for an arena");
    }
    layout.count_ = align_up(entry.end());
    layout.entries_.push_back(std::move(entry));
  }
  layout.by_name_.resize(layout.entries_.size());
  std::iota(layout.by_name_.begin(), layout.by_name_.end(), std::size_t{0});
  std::ranges::sort(layout.by_name_, {}, name_in(layout.entries_));
  return layout;
}

const LayoutEntry* Layout::find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(by_name_, name, {}, name_in(entries_));
  return found != by_name_.end() && entries_[*found].name == name ? &entries_[*found] : nullptr;
}

const LayoutEntry& Layout::at(std::string_view name) const {
  if (const LayoutEntry* entry = find(name)) return *entry;
  std::vector<std::string> names;
  for (const LayoutEntry& entry : entries_) names.push_back(entry.name);
  throw Error(ErrorCode::kNotFound, base::str_cat("there is no variable \"", name, "\""),
              base::str_cat("Declared are: ", base::join(names)));
}

std::size_t element_count(const Shape& shape) { return counted(shape, {}); }

std::string to_string(const Shape& shape) {
  return base::str_cat("(", base::join(shape), shape.size() == 1 ? ",)" : ")");
}

}  // namespace dtrain::inline v0::tensor
