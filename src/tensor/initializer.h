#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "dtrain/initializers.h"
#include "dtrain/variable.h"

namespace dtrain::inline v0::tensor {

/// A number that identifies a name among the random streams of one seed (FNV-1a, 64 bits).
std::uint64_t stream_of(std::string_view name);

/// Throws invalid_argument that names the field, its value and what is allowed; the message begins
/// with `where`.
void validate(const Initializer& initializer, std::string_view where);

/// Writes a variable's first values: element_count(shape) of them, row-major. Element i depends on
/// the seed (the initializer's own, if it has one), the name and i only.
void initialize(const Initializer& initializer, const Shape& shape, std::uint64_t seed,
                std::string_view name, std::span<float> values);

/// The same, of a run of the variable: `values` become its elements from `first` on.
void initialize_part(const Initializer& initializer, const Shape& shape, std::uint64_t seed,
                     std::string_view name, std::uint64_t first, std::span<float> values);

}  // namespace dtrain::inline v0::tensor
