#pragma once

#include <cstdint>
#include <span>

namespace dtrain::inline v0::compute {

/// 16-bit floating point. Rounding to nearest, ties to even; NaN stays NaN. fp16 (IEEE 754
/// binary16) turns what rounds beyond 65504 into infinity; bf16 has fp32's range. Both sides are
/// equally long and do not overlap. The same bits on every machine. Thread-safe.
void to_float16(std::span<const float> from, std::span<std::uint16_t> to);
void from_float16(std::span<const std::uint16_t> from, std::span<float> to);
void to_bfloat16(std::span<const float> from, std::span<std::uint16_t> to);
void from_bfloat16(std::span<const std::uint16_t> from, std::span<float> to);

}  // namespace dtrain::inline v0::compute
