#include "app/memory_watch.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "base/strings.h"

namespace dtrain::inline v0::app {

std::optional<std::uint64_t> parse_proportional_set(std::string_view smaps_rollup) {
  constexpr std::string_view kField = "\nPss:";
  const std::size_t found = smaps_rollup.find(kField);
  if (found == std::string_view::npos) return {};
  std::string_view rest = smaps_rollup.substr(found + kField.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  std::uint64_t kib = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), kib);
  if (error != std::errc() ||
      !rest.substr(static_cast<std::size_t>(end - rest.data())).starts_with(" kB")) {
    return {};
  }
  return kib * 1024;
}

std::optional<std::uint64_t> proportional_set_bytes(pid_t pid) {
  std::ifstream in(base::str_cat("/proc/", pid, "/smaps_rollup"));
  std::ostringstream text;
  text << in.rdbuf();
  return parse_proportional_set(text.view());
}

MemoryWatch::MemoryWatch(const std::vector<LaunchMember>& members, base::Duration interval)
    : interval_(interval) {
  for (const LaunchMember& member : members) peaks_.push_back({member});
}

void MemoryWatch::on_time(base::TimePoint now) {
  if (now < next_time_) return;
  next_time_ = now + interval_;
  for (Peak& peak : peaks_) {
    peak.bytes = std::max(peak.bytes, proportional_set_bytes(peak.who.pid).value_or(0));
  }
}

std::vector<std::string> MemoryWatch::report() const {
  std::vector<Peak> sorted = peaks_;
  std::ranges::stable_sort(sorted, std::ranges::greater(), &Peak::bytes);
  std::vector<std::string> lines;
  for (const Peak& peak : sorted) {
    char figure[32];
    std::snprintf(figure, sizeof(figure), "%.1f MiB", static_cast<double>(peak.bytes) / (1 << 20));
    lines.push_back(base::str_cat(to_string(peak.who.task), ": ", figure));
  }
  return lines;
}

}  // namespace dtrain::inline v0::app
