#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/strings.h"
#include "dtrain/error.h"

// Values of descriptions as JSON: to_value() makes them, from_value() reads them back and throws
// invalid_argument that says where (`path`) and what is wrong.
namespace dtrain::inline v0::model {

using Json = nlohmann::ordered_json;

[[noreturn]] inline void refuse(const std::string& path, const std::string& happened,
                                const std::string& advice) {
  throw Error(ErrorCode::kInvalidArgument, base::str_cat("the model's JSON: ", path, " ", happened),
              advice);
}

/// The text of a value for a message.
inline std::string shown(const Json& json) {
  constexpr std::size_t kShownMax = 60;
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= kShownMax ? text : text.substr(0, kShownMax) + "...";
}

/// Throws for members of an object that nobody reads.
inline void check_members(const Json& json, const std::string& path,
                          const std::set<std::string>& known) {
  if (!json.is_object()) refuse(path, "is " + shown(json), "Give an object");
  for (const auto& [name, value] : json.items()) {
    if (known.contains(name)) continue;
    refuse(path, base::str_cat("has the member \"", name, "\""),
           base::str_cat("Known are: ", base::join(known)));
  }
}

inline const Json& member(const Json& json, const std::string& path, const char* name) {
  if (!json.is_object()) refuse(path, "is " + shown(json), "Give an object");
  const auto found = json.find(name);
  if (found == json.end()) {
    refuse(path, base::str_cat("has no member \"", name, "\""), "Add it");
  }
  return *found;
}

/// An enumerator's name in JSON; EnumNames<Enum>::kNames has all of an enumeration.
template <typename Enum>
struct EnumName {
  Enum value;
  const char* name;
};
template <typename Enum>
struct EnumNames;
inline Json to_value(bool value) { return value; }
inline Json to_value(std::int64_t value) { return value; }
inline Json to_value(std::uint64_t value) { return value; }
inline Json to_value(int value) { return value; }
/// The shortest decimal number that is this float.
inline Json to_value(float value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double number = 0.0;
  std::from_chars(text.data(), end, number);
  return number;
}
inline Json to_value(const std::string& value) { return value; }
template <typename Enum>
requires std::is_enum_v<Enum> Json to_value(Enum value) {
  for (const auto& [known, name] : EnumNames<Enum>::kNames) {
    if (known == value) return name;
  }
  return EnumNames<Enum>::kNames[0].name;
}
template <typename T>
Json to_value(const std::optional<T>& value) {
  return value ? to_value(*value) : Json();
}
template <typename T>
Json to_value(const std::vector<T>& values) {
  Json array = Json::array();
  for (const T& value : values) array.push_back(to_value(value));
  return array;
}
inline Json to_value(const std::array<std::int64_t, 2>& values) { return values; }
inline void from_value(const Json& json, const std::string& path, bool& value) {
  if (!json.is_boolean()) refuse(path, "is " + shown(json), "Give true or false");
  value = json.get<bool>();
}
template <typename T>
requires std::is_integral_v<T>
void from_value(const Json& json, const std::string& path, T& value) {
  const bool is_unsigned = json.is_number_unsigned();
  bool fits = json.is_number_integer();
  if (fits && is_unsigned) {
    fits = json.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<T>::max());
  } else if (fits) {
    fits = std::is_signed_v<T> &&
           json.get<std::int64_t>() >= static_cast<std::int64_t>(std::numeric_limits<T>::min());
  }
  if (!fits) refuse(path, "is " + shown(json), "Give an integer");
  value = json.get<T>();
}
inline void from_value(const Json& json, const std::string& path, float& value) {
  const double number = json.is_number() ? json.get<double>() : 0.0;
  if (!json.is_number() || std::abs(number) > std::numeric_limits<float>::max()) {
    refuse(path, "is " + shown(json), "Give a number that a float32 can hold");
  }
  value = static_cast<float>(number);
}
inline void from_value(const Json& json, const std::string& path, std::string& value) {
  if (!json.is_string()) refuse(path, "is " + shown(json), "Give a text in quotes");
  value = json.get<std::string>();
}
template <typename Enum>
requires std::is_enum_v<Enum>
void from_value(const Json& json, const std::string& path, Enum& value) {
  std::vector<std::string_view> allowed;
  for (const auto& [known, name] : EnumNames<Enum>::kNames) {
    if (json.is_string() && json.get_ref<const std::string&>() == name) {
      value = known;
      return;
    }
    allowed.push_back(name);
  }
  refuse(path, "is " + shown(json), base::str_cat("Give one of: ", base::join(allowed)));
}
template <typename T>
void from_value(const Json& json, const std::string& path, std::optional<T>& value) {
  if (json.is_null()) {
    value.reset();
  } else {
    from_value(json, path, value.emplace());
  }
}
template <typename T>
void from_value(const Json& json, const std::string& path, std::vector<T>& values) {
  if (!json.is_array()) refuse(path, "is " + shown(json), "Give a list");
  values.resize(json.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    from_value(json[i], base::str_cat(path, "[", i, "]"), values[i]);
  }
}
inline void from_value(const Json& json, const std::string& path,
                       std::array<std::int64_t, 2>& values) {
  if (json.is_number_integer()) {  // as in Keras: both
    from_value(json, path, values[0]);
    values[1] = values[0];
    return;
  }
  if (!json.is_array() || json.size() != 2) {
    refuse(path, "is " + shown(json), "Give an integer, or a list of two");
  }
  for (std::size_t i = 0; i < 2; ++i) {
    from_value(json[i], base::str_cat(path, "[", i, "]"), values[i]);
  }
}

}  // namespace dtrain::inline v0::model
