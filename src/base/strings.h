#pragma once

#include <cstdint>
#include <iterator>
#include <sstream>
#include <string>

namespace dtrain::inline v0::base {

/// Concatenates what has an `operator<<`. For messages, not for hot paths.
template <typename... Parts>
std::string str_cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return std::move(out).str();
}

/// `1.2 MB`, for messages.
inline std::string bytes(std::uint64_t count) {
  constexpr const char* kUnits[] = {"kB", "MB", "GB", "TB"};
  if (count < 1000) return str_cat(count, " B");
  double value = static_cast<double>(count) / 1000;
  std::size_t unit = 0;
  for (; value >= 999.95 && unit + 1 < std::size(kUnits); ++unit) value /= 1000;
  const auto tenths = static_cast<std::uint64_t>(value * 10 + 0.5);
  return str_cat(tenths / 10, ".", tenths % 10, " ", kUnits[unit]);
}

/// The text of an error that another process composed, without its `[CODE] `.
inline std::string without_code(const std::string& text) {
  const std::size_t end = text.find("] ");
  return text.starts_with('[') && end != std::string::npos ? text.substr(end + 2) : text;
}

/// `a, b, c` of any range whose elements have an `operator<<`.
template <typename Range>
std::string join(const Range& range, const char* separator = ", ") {
  std::ostringstream out;
  const char* lead = "";
  for (const auto& element : range) {
    out << lead << element;
    lead = separator;
  }
  return std::move(out).str();
}

}  // namespace dtrain::inline v0::base
