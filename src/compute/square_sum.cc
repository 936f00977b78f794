#include "compute/square_sum.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace dtrain::inline v0::compute {
namespace {

constexpr std::uint32_t kFractionBits = 23;
/// Squares have 48 bits: so many of them fit into 64.
constexpr std::size_t kBlock = 1 << 16;
/// Neighbours often have the same exponent; tables in turn spare them waiting for each other.
constexpr std::size_t kTables = 4;

struct Parts {
  std::uint32_t exponent;
  std::uint64_t square;  ///< Of the integer.
};

Parts parts_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t exponent = (bits >> kFractionBits) & 0xFFU;
  const std::uint32_t fraction = bits & ((1U << kFractionBits) - 1);
  // A subnormal has exponent 0 and no hidden bit.
  const std::uint64_t integer = fraction | (exponent == 0 ? 0U : 1U << kFractionBits);
  return {exponent, integer * integer};
}

}  // namespace

void SquareSum::add(std::size_t exponent, std::uint64_t low) {
  low_[exponent] += low;
  if (low_[exponent] < low) ++high_[exponent];
}

void SquareSum::add(const Term& term) {
  add(term.exponent, term.low);
  high_[term.exponent] += term.high;
}

void SquareSum::add(std::span<const float> values) {
  std::array<std::array<std::uint64_t, kExponents>, kTables> tables;
  while (!values.empty()) {
    const auto block = values.first(std::min(values.size(), kBlock));
    values = values.subspan(block.size());
    if (block.size() < kExponents) {
      for (const float value : block) {
        const Parts parts = parts_of(value);
        add(parts.exponent, parts.square);
      }
      continue;
    }
    for (auto& table : tables) table.fill(0);
    for (std::size_t i = 0; i < block.size(); ++i) {
      const Parts parts = parts_of(block[i]);
      tables[i % kTables][parts.exponent] += parts.square;
    }
    for (const auto& table : tables) {
      for (std::size_t exponent = 0; exponent < kExponents; ++exponent) {
        add(exponent, table[exponent]);
      }
    }
  }
}

std::vector<SquareSum::Term> SquareSum::terms() const {
  std::vector<Term> terms;
  for (std::uint32_t i = 0; i < kExponents; ++i) {
    if (high_[i] != 0 || low_[i] != 0) terms.push_back({i, high_[i], low_[i]});
  }
  return terms;
}

double SquareSum::value() const {
  if (high_.back() != 0 || low_.back() != 0) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0.0;
  for (std::uint32_t i = kExponents - 1; i-- > 0;) {
    const double units =
        std::ldexp(static_cast<double>(high_[i]), 64) + static_cast<double>(low_[i]);
    // An integer of exponent i counts 2^(i - 150); subnormals count as those of exponent 1.
    const int power = static_cast<int>(std::max(i, 1U)) - 127 - static_cast<int>(kFractionBits);
    sum += std::ldexp(units, 2 * power);
  }
  return sum;
}

double clip_factor(double squares, double scale, float limit) {
  const double norm = std::sqrt(squares) * scale;
  return norm <= static_cast<double>(limit) ? 1.0 : static_cast<double>(limit) / norm;
}

}  // namespace dtrain::inline v0::compute
