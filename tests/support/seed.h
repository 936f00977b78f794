#pragma once

#include <cstdint>
#include <functional>

namespace dtrain::inline v0::support {

/// The seed of a random test: DTRAIN_SEED (decimal, or hexadecimal with 0x) or a new one. Prints
/// it, so that a failure can be repeated. Throws std::invalid_argument when DTRAIN_SEED is not a
/// 64-bit number.
std::uint64_t seed();

/// Whether DTRAIN_TEST_FULL asks tests for their whole counts.
bool whole_counts();

/// Calls `run` with seed() and those behind it until a test has failed: `whole` times with
/// whole_counts(), else `reduced` times.
void for_each_seed(int reduced, int whole, const std::function<void(std::uint64_t seed)>& run);

}  // namespace dtrain::inline v0::support
