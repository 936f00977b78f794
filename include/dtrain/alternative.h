#pragma once

#include <concepts>
#include <string_view>
#include <type_traits>
#include <variant>

namespace dtrain::inline v0 {

template <typename T, typename Variant>
struct IsAlternative : std::false_type {};
template <typename T, typename... Kinds>
struct IsAlternative<T, std::variant<Kinds...>> : std::disjunction<std::is_same<T, Kinds>...> {};

/// T is one of a std::variant's alternatives, exactly.
template <typename T, typename Variant>
concept AlternativeOf = IsAlternative<T, Variant>::value;

/// What names something as Keras's string identifiers do: "adam", std::string, std::string_view.
template <typename T>
concept Identifier = std::convertible_to<const T&, std::string_view>;

}  // namespace dtrain::inline v0
