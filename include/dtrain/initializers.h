#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "dtrain/alternative.h"
#include "dtrain/export.h"

namespace dtrain::inline v0 {

// Keras's initializers (keras.initializers) with its defaults. "fan_in" and "fan_out" are a
// kernel's inputs and outputs, (inputs, outputs) for Dense; a vector of n has n of both.
//
// Values come from counter-based random numbers keyed by the model's seed (or the initializer's
// own) and the variable's name: they depend neither on the order in which layers are built nor on
// the device. The numbers are not TensorFlow's, the distributions are.

struct Zeros {
  bool operator==(const Zeros&) const = default;
};

struct Ones {
  bool operator==(const Ones&) const = default;
};

struct Constant {
  float value = 0.0F;
  bool operator==(const Constant&) const = default;
};

/// Uniform in [minval, maxval).
struct RandomUniform {
  float minval = -0.05F;
  float maxval = 0.05F;  ///< Above minval.
  std::optional<std::uint64_t> seed = {};
  bool operator==(const RandomUniform&) const = default;
};

struct RandomNormal {
  float mean = 0.0F;
  float stddev = 0.05F;  ///< At least 0.
  std::optional<std::uint64_t> seed = {};
  bool operator==(const RandomNormal&) const = default;
};

/// A normal distribution whose values beyond two of its standard deviations are drawn again.
struct TruncatedNormal {
  float mean = 0.0F;
  float stddev = 0.05F;  ///< At least 0; of the distribution before it is cut.
  std::optional<std::uint64_t> seed = {};
  bool operator==(const TruncatedNormal&) const = default;
};

/// Uniform in [-l, l) with l = sqrt(6 / (fan_in + fan_out)).
struct GlorotUniform {
  std::optional<std::uint64_t> seed = {};
  bool operator==(const GlorotUniform&) const = default;
};

/// Truncated normal whose standard deviation, after it is cut, is sqrt(2 / (fan_in + fan_out)).
struct GlorotNormal {
  std::optional<std::uint64_t> seed = {};
  bool operator==(const GlorotNormal&) const = default;
};

/// Uniform in [-l, l) with l = sqrt(6 / fan_in).
struct HeUniform {
  std::optional<std::uint64_t> seed = {};
  bool operator==(const HeUniform&) const = default;
};

/// Truncated normal whose standard deviation, after it is cut, is sqrt(2 / fan_in).
struct HeNormal {
  std::optional<std::uint64_t> seed = {};
  bool operator==(const HeNormal&) const = default;
};

/// Uniform in [-l, l) with l = sqrt(3 / fan_in).
struct LecunUniform {
  std::optional<std::uint64_t> seed = {};
  bool operator==(const LecunUniform&) const = default;
};

/// Truncated normal whose standard deviation, after it is cut, is sqrt(1 / fan_in).
struct LecunNormal {
  std::optional<std::uint64_t> seed = {};
  bool operator==(const LecunNormal&) const = default;
};

/// What VarianceScaling divides its scale by.
enum class FanMode {
  kFanIn,
  kFanOut,
  kFanAvg,  ///< Their mean.
};

/// How VarianceScaling draws.
enum class ScaledDistribution {
  kTruncatedNormal,
  kUntruncatedNormal,
  kUniform,
};

/// What the six above are cases of: a mean of 0 and a variance of `scale` / fan.
struct VarianceScaling {
  float scale = 1.0F;  ///< Above 0.
  FanMode mode = FanMode::kFanIn;
  ScaledDistribution distribution = ScaledDistribution::kTruncatedNormal;
  std::optional<std::uint64_t> seed = {};
  bool operator==(const VarianceScaling&) const = default;
};

/// Rows or columns, whichever are fewer, of length `gain` and at right angles to each other; all
/// dimensions but the last count as rows. For at least two dimensions; takes time as a matrix's
/// product with itself. Not for tables of rows on servers.
struct Orthogonal {
  float gain = 1.0F;
  std::optional<std::uint64_t> seed = {};
  bool operator==(const Orthogonal&) const = default;
};

/// `gain` on the diagonal of a matrix, 0 elsewhere.
struct Identity {
  float gain = 1.0F;
  bool operator==(const Identity&) const = default;
};

using InitializerKind =
    std::variant<Zeros, Ones, Constant, RandomUniform, RandomNormal, TruncatedNormal, GlorotUniform,
                 GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, VarianceScaling,
                 Orthogonal, Identity>;

/// How a variable gets its first values: one of the structs above, or Keras's identifier of one,
/// which has the defaults ("zeros", "he_normal").
class DTRAIN_EXPORT Initializer : public InitializerKind {
 public:
  Initializer() = default;
  template <AlternativeOf<InitializerKind> Kind>
  Initializer(Kind kind)  // NOLINT(google-explicit-constructor)
      : InitializerKind(std::move(kind)) {}
  /// Throws invalid_argument that lists the names there are.
  template <Identifier Name>
  Initializer(const Name& identifier)  // NOLINT(google-explicit-constructor)
      : InitializerKind(named(identifier)) {}

 private:
  static InitializerKind named(std::string_view identifier);
};

}  // namespace dtrain::inline v0
