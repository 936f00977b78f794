#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace dtrain::inline v0::bench {

// Numbers whose exchange can be checked to the bit: small integers that fp32, fp16 and bf16 hold
// exactly, and example weights that add up to a power of two, so that a mean has no rounding.

/// First value of element `i`: 0 to 255.
float initial_value(std::uint64_t i);
/// Gradient of element `i` at the first worker: 1 to 4. Worker r pushes it times rank_factor(r).
float gradient_value(std::uint64_t i);
/// 1, 2, 3, 1, ...: so that a gradient of the wrong worker is seen.
float rank_factor(int rank);

/// Examples that worker `rank` of `workers` gives with a push: 1, the last worker what is missing
/// to a power of two.
std::uint64_t example_weight(int rank, int workers);

/// How far one step of rank `rank` moves an element whose gradient_value is 1. In synchronous mode
/// one step is the workers' mean.
double step_share(int rank, int workers, bool asynchronous);
/// Steps after which values are still whole numbers that fp32 holds exactly.
std::uint64_t exact_steps_max(int workers, bool asynchronous);

/// `count` distinct sorted keys below `rows`, drawn for worker `rank`: the same whenever asked.
std::vector<std::uint64_t> draw_keys(std::uint64_t rows, std::uint64_t count, int rank);
/// For each of `keys`, how far one step of all workers moves an element of its row whose
/// gradient_value is 1, where worker r names draw_keys(rows, keys.size(), r).
std::vector<float> row_shares(std::span<const std::uint64_t> keys, std::uint64_t rows, int workers,
                              bool asynchronous);
/// gradient_value's argument for an element of a row.
std::uint64_t row_element(std::uint64_t key, std::uint64_t column);

}  // namespace dtrain::inline v0::bench
