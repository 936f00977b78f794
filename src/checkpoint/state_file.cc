#include "checkpoint/state_file.h"

#include <algorithm>
#include <charconv>

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::checkpoint {
namespace {

constexpr std::string_view kPrefix = "ckpt-";
constexpr std::string_view kNewest = "model_checkpoint_path: \"";
constexpr std::string_view kKept = "all_model_checkpoint_paths: \"";

[[noreturn]] void refuse(const std::string& path, std::string_view line) {
  throw Error(
      ErrorCode::kDataLoss,
      base::str_cat("\"", path, "\" is no list of checkpoints: \"", line.substr(0, 100), "\""),
      "Delete it: the newest checkpoint beside it is used then");
}

}  // namespace

std::string checkpoint_name(std::int64_t step) { return base::str_cat(kPrefix, step); }

std::optional<std::int64_t> step_of(std::string_view name) {
  if (!name.starts_with(kPrefix)) return {};
  name.remove_prefix(kPrefix.size());
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  const bool whole = error == std::errc() && end == name.data() + name.size();
  // Only the name that the step is given: no sign, no leading zeros.
  if (!whole || step < 0 || base::str_cat(step) != name) return {};
  return step;
}

std::string encode_state(const std::vector<std::string>& names) {
  std::string text = base::str_cat(kNewest, names.back(), "\"\n");
  for (const std::string& name : names) text += base::str_cat(kKept, name, "\"\n");
  return text;
}

std::vector<std::string> decode_state(std::string_view text, const std::string& path) {
  std::vector<std::string> names;
  std::string newest;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty()) continue;
    const bool is_newest = line.starts_with(kNewest);
    if (!line.ends_with('"') || (!is_newest && !line.starts_with(kKept))) refuse(path, line);
    std::string_view name = line.substr(is_newest ? kNewest.size() : kKept.size());
    if (!name.empty()) name.remove_suffix(1);
    if (!step_of(name)) refuse(path, line);
    if (is_newest) {
      newest = name;
    } else if (std::ranges::find(names, name) == names.end()) {
      names.emplace_back(name);
    }
  }
  if (newest.empty()) refuse(path, "");
  // The newest is the last, also after somebody has edited the file to go back to it.
  std::erase(names, newest);
  names.push_back(newest);
  return names;
}

}  // namespace dtrain::inline v0::checkpoint
