#include "data/number.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

namespace dtrain::inline v0::data {

namespace {

// std::from_chars takes no plus sign, and would take the minus of "+-1".
std::string_view without_plus(std::string_view text) {
  const bool plus = text.size() > 1 && text[0] == '+' && text[1] != '-' && text[1] != '+';
  return plus ? text.substr(1) : text;
}

template <typename T>
ParseStatus parse_with(std::string_view text, T& value) {
  T parsed{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) {
    return ParseStatus::kNotANumber;
  }
  if (error == std::errc::result_out_of_range) return ParseStatus::kOutOfRange;
  value = parsed;
  return ParseStatus::kOk;
}

/// `float_min` and `float_max` bound whole numbers that are written as floats.
template <typename T>
ParseStatus parse_integer(std::string_view text, T& value, double float_min, double float_max) {
  text = without_plus(text);
  const ParseStatus status = parse_with(text, value);
  if (status != ParseStatus::kNotANumber) return status;
  double number = 0.0;
  const ParseStatus as_double = parse_with(text, number);
  if (as_double != ParseStatus::kOk) return as_double;
  if (!std::isfinite(number) || std::trunc(number) != number) return ParseStatus::kNotANumber;
  if (number < float_min || number > float_max) return ParseStatus::kOutOfRange;
  value = static_cast<T>(number);
  return ParseStatus::kOk;
}

}  // namespace

ParseStatus parse_float(std::string_view text, float& value) {
  text = without_plus(text);
  const ParseStatus status = parse_with(text, value);
  if (status != ParseStatus::kOutOfRange) return status;
  // from_chars reports too small and too large alike; a double tells them apart.
  double wide = 0.0;
  if (parse_with(text, wide) != ParseStatus::kOk || std::abs(wide) > 1.0) {
    return ParseStatus::kOutOfRange;
  }
  value = static_cast<float>(wide);
  return ParseStatus::kOk;
}

ParseStatus parse_int32(std::string_view text, std::int32_t& value) {
  return parse_integer(text, value, static_cast<double>(std::numeric_limits<std::int32_t>::min()),
                       static_cast<double>(std::numeric_limits<std::int32_t>::max()));
}

ParseStatus parse_int64(std::string_view text, std::int64_t& value) {
  constexpr double kExactMax = 9007199254740992.0;
  return parse_integer(text, value, -kExactMax, kExactMax);
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kShownBytesMax = 40;
  std::string shown = "\"";
  for (const char c : text.substr(0, kShownBytesMax)) {
    const auto byte = static_cast<unsigned char>(c);
    shown += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  if (text.size() > kShownBytesMax) shown += "...";
  return shown + "\"";
}

}  // namespace dtrain::inline v0::data
