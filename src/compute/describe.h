#pragma once

#include <cmath>
#include <concepts>
#include <optional>
#include <string>
#include <vector>

#include "base/strings.h"
#include "compute/fields.h"
#include "dtrain/error.h"

// Checks and texts of described structs, made from their fields.
namespace dtrain::inline v0::compute {

/// What `allowed` asks for, as messages say it; null where `value` fulfils it.
const char* complaint_about(double value, Allowed allowed);

/// Throws invalid_argument that names the field, its value and what is allowed.
void check_value(const std::string& field, float value, Allowed allowed);
void check_value(const std::string& field, std::int64_t value, Allowed allowed);
void check_value(const std::string& field, const LearningRate& value, Allowed allowed);
inline void check_value(const std::string& /*field*/, bool /*value*/, Allowed /*allowed*/) {}

template <typename T>
void check_value(const std::string& field, const std::optional<T>& value, Allowed allowed) {
  if (value) check_value(field, *value, allowed);
}

template <typename T>
void check_value(const std::string& field, const std::vector<T>& values, Allowed allowed) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    check_value(base::str_cat(field, "[", i, "]"), values[i], allowed);
  }
}

template <typename Struct>
void check_fields(const Struct& value) {
  for_each_field(value, [](const char* name, const auto& member, Allowed allowed) {
    check_value(base::str_cat(Described<Struct>::kName, "::", name), member, allowed);
  });
}

inline std::string value_text(bool value) { return value ? "true" : "false"; }
inline std::string value_text(const LearningRate& value) { return to_string(value); }
template <typename T>
requires(std::same_as<T, float> || std::same_as<T, std::int64_t>) std::string value_text(T value) {
  return base::str_cat(value);
}
template <typename T>
std::string value_text(const std::optional<T>& value) {
  return value ? value_text(*value) : "none";
}
template <typename T>
std::string value_text(const std::vector<T>& values) {
  return base::str_cat("[", base::join(values), "]");
}

/// `Adam(learning_rate=0.001, beta_1=0.9)`
template <typename Struct>
std::string text_of(const Struct& value) {
  std::string text = base::str_cat(Described<Struct>::kName, "(");
  const char* lead = "";
  for_each_field(value, [&](const char* name, const auto& member, Allowed /*allowed*/) {
    text += base::str_cat(lead, name, "=", value_text(member));
    lead = ", ";
  });
  return text + ")";
}

}  // namespace dtrain::inline v0::compute
