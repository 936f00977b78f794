#include "compute/half.h"

#include <cassert>

#include "compute/dispatch.h"
#include "compute/kernels.h"

namespace dtrain::inline v0::compute {

void to_float16(std::span<const float> from, std::span<std::uint16_t> to) {
  assert(from.size() == to.size());
  best_kernels().to_float16(from.size(), from.data(), to.data());
}

void from_float16(std::span<const std::uint16_t> from, std::span<float> to) {
  assert(from.size() == to.size());
  best_kernels().from_float16(from.size(), from.data(), to.data());
}

void to_bfloat16(std::span<const float> from, std::span<std::uint16_t> to) {
  assert(from.size() == to.size());
  best_kernels().to_bfloat16(from.size(), from.data(), to.data());
}

void from_bfloat16(std::span<const std::uint16_t> from, std::span<float> to) {
  assert(from.size() == to.size());
  best_kernels().from_bfloat16(from.size(), from.data(), to.data());
}

}  // namespace dtrain::inline v0::compute
