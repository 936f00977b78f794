#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dtrain::inline v0::compute {

/// A sum of squares of floats, without rounding: floats are integers times a power of two, and for
/// each power the squares of the integers are added up. So there is no order of addition, and the
/// sum of any parts' sums has the bits of the whole's.
class SquareSum {
 public:
  /// The squares of floats with one biased exponent (0 to 255): `high * 2^64 + low` units.
  struct Term {
    std::uint32_t exponent = 0;
    std::uint64_t high = 0;
    std::uint64_t low = 0;
  };
  static constexpr std::uint32_t kExponents = 256;

  void add(std::span<const float> values);
  void add(const Term& term);

  /// The terms that are not 0, by exponent.
  std::vector<Term> terms() const;
  /// Rounded once per exponent; NaN when a value was not finite.
  double value() const;

 private:
  void add(std::size_t exponent, std::uint64_t low);

  std::array<std::uint64_t, kExponents> low_{};
  std::array<std::uint64_t, kExponents> high_{};
};

/// What gradients are multiplied by so that the L2 norm of `scale` times them is at most `limit`:
/// 1 where it is already. `squares` is the sum of their squares; NaN stays NaN, as in Keras.
double clip_factor(double squares, double scale, float limit);

}  // namespace dtrain::inline v0::compute
