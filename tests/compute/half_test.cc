#include "compute/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "base/philox.h"
#include "compute/dispatch.h"
#include "support/seed.h"

namespace dtrain::inline v0::compute {
namespace {

/// A 16-bit format by its definition, in double.
struct Format {
  int fraction_bits;
  int exponent_min;  ///< Of normal numbers.
  int exponent_max;

  std::uint16_t encode(float value) const {
    const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
    const int infinity = (exponent_max - exponent_min + 2) << fraction_bits;
    if (std::isnan(value)) return static_cast<std::uint16_t>(sign | infinity | 1);
    const double magnitude = std::abs(static_cast<double>(value));
    if (magnitude == 0) return sign;
    if (std::isinf(value)) return static_cast<std::uint16_t>(sign | infinity);
    const int exponent = std::max(exponent_min, std::ilogb(magnitude));
    const double step = std::ldexp(1.0, exponent - fraction_bits);
    const double rounded = std::nearbyint(magnitude / step) * step;  // ties to even
    if (rounded >= std::ldexp(2.0, exponent_max)) {
      return static_cast<std::uint16_t>(sign | infinity);
    }
    const int above = rounded == 0 ? exponent_min : std::max(exponent_min, std::ilogb(rounded));
    const auto fraction = static_cast<int>(std::ldexp(rounded, fraction_bits - above));
    const int hidden = 1 << fraction_bits;
    const int bits =
        fraction < hidden ? fraction : ((above - exponent_min) << fraction_bits) + fraction;
    return static_cast<std::uint16_t>(sign | bits);
  }
  double decode(std::uint16_t half) const {
    const int magnitude = half & 0x7fff;
    const int fraction = magnitude & ((1 << fraction_bits) - 1);
    const int exponent = magnitude >> fraction_bits;
    const double sign = (half & 0x8000) != 0 ? -1.0 : 1.0;
    if (exponent == exponent_max - exponent_min + 2) {
      return fraction == 0 ? sign * std::numeric_limits<double>::infinity()
                           : std::numeric_limits<double>::quiet_NaN();
    }
    if (exponent == 0) return sign * std::ldexp(fraction, exponent_min - fraction_bits);
    return sign *
           std::ldexp(fraction + (1 << fraction_bits), exponent - 1 + exponent_min - fraction_bits);
  }
};

constexpr Format kFloat16{10, -14, 15};
constexpr Format kBFloat16{7, -126, 127};

struct Pair {
  const Format& format;
  void (*to)(std::size_t, const float*, std::uint16_t*);
  void (*from)(std::size_t, const std::uint16_t*, float*);
};

std::vector<Pair> all_pairs() {
  std::vector<Pair> pairs;
  for (const InstructionSet set : supported_instruction_sets()) {
    const KernelTable& kernels = kernels_for(set);
    pairs.push_back({kFloat16, kernels.to_float16, kernels.from_float16});
    pairs.push_back({kBFloat16, kernels.to_bfloat16, kernels.from_bfloat16});
  }
  return pairs;
}

TEST(Half, EveryPatternDecodesToItsValueAndBack) {
  std::vector<std::uint16_t> patterns(1 << 16), again(1 << 16);
  for (std::size_t i = 0; i < patterns.size(); ++i) patterns[i] = static_cast<std::uint16_t>(i);
  std::vector<float> values(patterns.size());
  for (const Pair& pair : all_pairs()) {
    pair.from(patterns.size(), patterns.data(), values.data());
    pair.to(values.size(), values.data(), again.data());
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      const double expected = pair.format.decode(patterns[i]);
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(values[i]));
        EXPECT_TRUE(std::isnan(pair.format.decode(again[i])));
      } else {
        ASSERT_EQ(static_cast<double>(values[i]), expected) << "pattern " << i;
        ASSERT_EQ(again[i], patterns[i]);
      }
    }
  }
}

TEST(Half, RoundsToNearestTiesToEven) {
  base::PhiloxStream random(support::seed());
  std::vector<float> values;
  // All that is halfway between two neighbours of either format, and its neighbours in fp32.
  for (std::uint32_t pattern = 0; pattern < 0x7f80; ++pattern) {
    for (const std::uint32_t offset : {0x7fffU, 0x8000U, 0x8001U}) {
      values.push_back(std::bit_cast<float>((pattern << 16) + offset));
    }
  }
  for (int half = 0; half < 0x7c00; ++half) {
    const double low = kFloat16.decode(static_cast<std::uint16_t>(half));
    const double high =
        half == 0x7bff ? 65536.0 : kFloat16.decode(static_cast<std::uint16_t>(half + 1));
    const auto middle = static_cast<float>((low + high) / 2);
    for (const float value : {std::nextafter(middle, 0.0F), middle, std::nextafter(middle, 1e9F)}) {
      values.push_back(value);
      values.push_back(-value);
    }
  }
  for (int i = 0; i < 200'000; ++i) {
    values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random.below(1ULL << 32))));
  }
  std::vector<std::uint16_t> halves(values.size());
  for (const Pair& pair : all_pairs()) {
    pair.to(values.size(), values.data(), halves.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(values[i])) {
        ASSERT_TRUE(std::isnan(pair.format.decode(halves[i]))) << values[i];
      } else {
        ASSERT_EQ(halves[i], pair.format.encode(values[i])) << values[i];
      }
    }
  }
}

}  // namespace
}  // namespace dtrain::inline v0::compute
