#include "base/identifier.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::base {
namespace {

constexpr std::size_t kLengthMax = 64;  // longer names are no misspelling of ours

std::string plain(std::string_view text) {
  std::string letters;
  for (const char letter : text.substr(0, kLengthMax)) {
    if (letter == '_') continue;
    const bool upper = letter >= 'A' && letter <= 'Z';
    letters += upper ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  return letters;
}

/// Changes, insertions, deletions and swaps of neighbours that make `b` of `a`.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before_last;
  std::vector<std::size_t> last(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::vector<std::size_t> row(b.size() + 1, i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::exchange(last, std::move(row));
  }
  return last.back();
}

}  // namespace

std::string_view nearest_name(std::string_view given, std::span<const std::string_view> names) {
  const std::string wanted = plain(given);
  std::string_view nearest;
  // A third of the letters may be wrong.
  std::size_t best = wanted.size() / 3 + 1;
  for (const std::string_view name : names) {
    const std::size_t changes = distance(wanted, plain(name));
    if (changes >= best) continue;
    best = changes;
    nearest = name;
  }
  return nearest;
}

std::string suggestion(std::string_view given, std::span<const std::string_view> names) {
  const std::string_view nearest = nearest_name(given, names);
  const std::string all = str_cat("There are: ", join(names));
  return nearest.empty() ? all : str_cat("Did you mean \"", nearest, "\"? ", all);
}

bool same_identifier(std::string_view a, std::string_view b) { return plain(a) == plain(b); }

std::size_t find_identifier(std::string_view what, std::string_view given,
                            std::span<const std::string_view> names) {
  const auto found = std::ranges::find_if(
      names, [given](std::string_view name) { return same_identifier(given, name); });
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  throw Error(ErrorCode::kInvalidArgument, str_cat("there is no ", what, " \"", given, "\""),
              suggestion(given, names));
}

}  // namespace dtrain::inline v0::base
