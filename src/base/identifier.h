#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace dtrain::inline v0::base {

/// What `given` may have been meant as: the one of `names` with the fewest letters changed,
/// missing, too many or swapped, if they are few for its length. Case and `_` do not count. Empty:
/// none.
std::string_view nearest_name(std::string_view given, std::span<const std::string_view> names);

/// `Did you mean "adam"? There are: adagrad, adam, ...`, for the advice of an error.
std::string suggestion(std::string_view given, std::span<const std::string_view> names);

/// Whether both are spellings of one identifier: "mean_squared_error" and "MeanSquaredError".
bool same_identifier(std::string_view a, std::string_view b);

/// The index among `names` of the one that `given` spells. Throws invalid_argument:
/// `there is no loss "msee". Did you mean "mse"? There are: ...`.
std::size_t find_identifier(std::string_view what, std::string_view given,
                            std::span<const std::string_view> names);

/// A name and what it stands for.
template <typename T>
struct Named {
  std::string_view name;
  T value;
};

/// The value that `given` names in a table of them. Throws as find_identifier().
template <typename T, std::size_t kCount>
T find_named(std::string_view what, std::string_view given, const Named<T> (&table)[kCount]) {
  std::string_view names[kCount];
  for (std::size_t i = 0; i < kCount; ++i) names[i] = table[i].name;
  return table[find_identifier(what, given, names)].value;
}

}  // namespace dtrain::inline v0::base
