#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dtrain::inline v0::data {

enum class ParseStatus {
  kOk,
  kNotANumber,  ///< Empty, or not wholly a number.
  kOutOfRange,  ///< A number that the type cannot hold.
};

/// Reads decimal text as a float, whatever the locale, with one rounding; an optional sign, an
/// exponent, and `nan` and `inf` in any case are understood. What is too small becomes zero or a
/// subnormal. `value` is written only on kOk.
ParseStatus parse_float(std::string_view text, float& value);

/// Reads decimal text as an integer; whole numbers written as floats (`3.0`) count too, because
/// exporting tools write them.
ParseStatus parse_int32(std::string_view text, std::int32_t& value);
/// The same; whole numbers written as floats only up to 2^53, where every integer is one.
ParseStatus parse_int64(std::string_view text, std::int64_t& value);

/// The text in double quotes for a message: at most 40 bytes, without control characters.
std::string in_quotes(std::string_view text);

}  // namespace dtrain::inline v0::data
