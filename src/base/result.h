#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

#include "dtrain/error.h"

namespace dtrain::inline v0::base {

/// An error that travels as a value: empty when all is well.
using Status = std::optional<Error>;

/// The code that a number from the wire stands for; kInternal for one that this version lacks.
inline ErrorCode error_code_of(std::uint32_t number) {
  return number <= static_cast<std::uint32_t>(ErrorCode::kInternal) ? static_cast<ErrorCode>(number)
                                                                    : ErrorCode::kInternal;
}

/// A value or the error that stands in its place.
template <typename T>
class Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  const Error& error() const { return std::get<Error>(state_); }
  T& value() {
    if (!ok()) throw std::get<Error>(state_);
    return std::get<T>(state_);
  }
  const T& value() const {
    if (!ok()) throw std::get<Error>(state_);
    return std::get<T>(state_);
  }
  Status status() const { return ok() ? Status() : Status(error()); }

 private:
  std::variant<T, Error> state_;
};

}  // namespace dtrain::inline v0::base
