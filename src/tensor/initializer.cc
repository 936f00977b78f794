#include "tensor/initializer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

#include "base/identifier.h"
#include "base/philox.h"
#include "base/strings.h"
#include "dtrain/error.h"
#include "tensor/layout.h"

namespace dtrain::inline v0 {

InitializerKind Initializer::named(std::string_view identifier) {
  static const base::Named<InitializerKind> kTable[] = {
      {"zeros", Zeros{}},
      {"zero", Zeros{}},
      {"ones", Ones{}},
      {"one", Ones{}},
      {"constant", Constant{}},
      {"random_uniform", RandomUniform{}},
      {"uniform", RandomUniform{}},
      {"random_normal", RandomNormal{}},
      {"normal", RandomNormal{}},
      {"truncated_normal", TruncatedNormal{}},
      {"glorot_uniform", GlorotUniform{}},
      {"glorot_normal", GlorotNormal{}},
      {"he_uniform", HeUniform{}},
      {"he_normal", HeNormal{}},
      {"lecun_uniform", LecunUniform{}},
      {"lecun_normal", LecunNormal{}},
      {"variance_scaling", VarianceScaling{}},
      {"orthogonal", Orthogonal{}},
      {"identity", Identity{}},
  };
  return base::find_named("initializer", identifier, kTable);
}

namespace tensor {
namespace {

// The standard deviation of a standard normal distribution that is cut at two of them; Keras
// divides by it so that what is left has the one asked for.
constexpr double kTruncatedStddev = 0.87962566103423978;

/// The random numbers of one variable.
struct Source {
  std::uint64_t seed;
  std::uint64_t stream;

  std::array<std::uint32_t, 4> block(std::uint64_t index, std::uint32_t attempt) const {
    return base::philox(
        {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32) | attempt << 16,
         static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)},
        {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  }
};

struct Fans {
  double in = 1;
  double out = 1;
};

// Keras's compute_fans: leading dimensions of a convolution's kernel are its receptive field.
Fans fans_of(const Shape& shape) {
  if (shape.empty()) return {};
  if (shape.size() == 1) return {static_cast<double>(shape[0]), static_cast<double>(shape[0])};
  double field = 1;
  for (std::size_t i = 0; i + 2 < shape.size(); ++i) field *= static_cast<double>(shape[i]);
  return {field * static_cast<double>(shape[shape.size() - 2]),
          field * static_cast<double>(shape.back())};
}

void fill_uniform(const Source& source, float low, float high, std::uint64_t first,
                  std::span<float> values) {
  const float below_high = std::nextafter(high, low);
  std::array<std::uint32_t, 4> words{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t index = first + i;
    if (i == 0 || index % 4 == 0) words = source.block(index / 4, 0);
    const float unit = static_cast<float>(words[index % 4] >> 8) * (1.0F / 16777216.0F);
    // Rounding may reach the bound, which is not in the interval.
    values[i] = std::min(low + unit * (high - low), below_high);
  }
}

// Box and Muller's method, one block per element so that an element depends on its index alone.
std::array<double, 2> normal_pair(const Source& source, std::uint64_t index,
                                  std::uint32_t attempt) {
  const auto words = source.block(index, attempt);
  constexpr double kScale = 1.0 / 4294967296.0;
  const double radius = std::sqrt(-2.0 * std::log((words[0] + 0.5) * kScale));
  const double angle = 2.0 * std::numbers::pi * words[1] * kScale;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

void fill_normal(const Source& source, double mean, double stddev, std::uint64_t first,
                 std::span<float> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(mean + stddev * normal_pair(source, first + i, 0)[0]);
  }
}

double truncated_normal(const Source& source, std::uint64_t index) {
  for (std::uint32_t attempt = 0;; ++attempt) {
    for (const double value : normal_pair(source, index, attempt)) {
      if (std::abs(value) <= 2.0) return value;
    }
  }
}

void fill_truncated(const Source& source, double mean, double stddev, std::uint64_t first,
                    std::span<float> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(mean + stddev * truncated_normal(source, first + i));
  }
}

/// A matrix of normal numbers made orthogonal by Gram and Schmidt's method, twice, because once
/// leaves what rounding does. Its vectors lie one after the other.
std::vector<double> orthogonal_vectors(const Source& source, std::size_t count,
                                       std::size_t length) {
  std::vector<double> vectors(count * length);
  for (std::size_t i = 0; i < vectors.size(); ++i) vectors[i] = normal_pair(source, i, 0)[0];
  const auto dot = [&](const double* a, const double* b) {
    return std::inner_product(a, a + length, b, 0.0);
  };
  for (std::size_t i = 0; i < count; ++i) {
    double* const mine = &vectors[i * length];
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t j = 0; j < i; ++j) {
        const double* const other = &vectors[j * length];
        const double part = dot(mine, other);
        for (std::size_t k = 0; k < length; ++k) mine[k] -= part * other[k];
      }
    }
    const double size = std::sqrt(dot(mine, mine));
    for (std::size_t k = 0; k < length; ++k) mine[k] /= size;
  }
  return vectors;
}

/// Fills a run of one variable by the kind of its initializer.
struct Fill {
  std::uint64_t seed;
  std::string_view name;
  const Shape& shape;
  Fans fans;
  std::uint64_t first;
  std::span<float> values;

  Source source(const std::optional<std::uint64_t>& own) const {
    return {own.value_or(seed), stream_of(name)};
  }
  void uniform(const std::optional<std::uint64_t>& own, double variance) const {
    const auto limit = static_cast<float>(std::sqrt(3.0 * variance));
    fill_uniform(source(own), -limit, limit, first, values);
  }
  void normal(const std::optional<std::uint64_t>& own, double variance) const {
    fill_truncated(source(own), 0.0, std::sqrt(variance) / kTruncatedStddev, first, values);
  }

  void operator()(const Zeros& /*kind*/) const { std::fill(values.begin(), values.end(), 0.0F); }
  void operator()(const Ones& /*kind*/) const { std::fill(values.begin(), values.end(), 1.0F); }
  void operator()(const Constant& kind) const {
    std::fill(values.begin(), values.end(), kind.value);
  }
  void operator()(const RandomUniform& kind) const {
    fill_uniform(source(kind.seed), kind.minval, kind.maxval, first, values);
  }
  void operator()(const RandomNormal& kind) const {
    fill_normal(source(kind.seed), kind.mean, kind.stddev, first, values);
  }
  void operator()(const TruncatedNormal& kind) const {
    fill_truncated(source(kind.seed), kind.mean, kind.stddev, first, values);
  }
  void operator()(const GlorotUniform& kind) const {
    uniform(kind.seed, 2.0 / (fans.in + fans.out));
  }
  void operator()(const GlorotNormal& kind) const { normal(kind.seed, 2.0 / (fans.in + fans.out)); }
  void operator()(const HeUniform& kind) const { uniform(kind.seed, 2.0 / fans.in); }
  void operator()(const HeNormal& kind) const { normal(kind.seed, 2.0 / fans.in); }
  void operator()(const LecunUniform& kind) const { uniform(kind.seed, 1.0 / fans.in); }
  void operator()(const LecunNormal& kind) const { normal(kind.seed, 1.0 / fans.in); }
  void operator()(const VarianceScaling& kind) const {
    double fan = fans.in;
    if (kind.mode == FanMode::kFanOut) fan = fans.out;
    if (kind.mode == FanMode::kFanAvg) fan = (fans.in + fans.out) / 2.0;
    const double variance = static_cast<double>(kind.scale) / std::max(1.0, fan);
    switch (kind.distribution) {
      case ScaledDistribution::kTruncatedNormal:
        return normal(kind.seed, variance);
      case ScaledDistribution::kUniform:
        return uniform(kind.seed, variance);
      case ScaledDistribution::kUntruncatedNormal:
        return fill_normal(source(kind.seed), 0.0, std::sqrt(variance), first, values);
    }
  }
  void operator()(const Orthogonal& kind) const {
    require_dimensions(shape.size() >= 2, "Orthogonal takes a variable of at least two dimensions");
    const auto columns = static_cast<std::size_t>(shape.back());
    const std::size_t rows = element_count(shape) / columns;
    const std::size_t length = std::max(rows, columns);
    const auto vectors = orthogonal_vectors(source(kind.seed), std::min(rows, columns), length);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t row = (first + i) / columns, column = (first + i) % columns;
      const double value =
          rows < columns ? vectors[row * length + column] : vectors[column * length + row];
      values[i] = static_cast<float>(static_cast<double>(kind.gain) * value);
    }
  }
  void operator()(const Identity& kind) const {
    require_dimensions(shape.size() == 2, "Identity takes a matrix");
    const auto columns = static_cast<std::uint64_t>(shape.back());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::uint64_t index = first + i;
      values[i] = index / columns == index % columns ? kind.gain : 0.0F;
    }
  }
  void require_dimensions(bool right, const char* needs) const {
    if (right) return;
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("\"", name, "\" has the shape ", to_string(shape), ", but ", needs),
                "Choose another initializer");
  }
};

/// Refuses what an initializer cannot draw from, NaN included.
struct Check {
  std::string_view where;

  template <typename Kind>
  void operator()(const Kind& /*kind*/) const {}
  void operator()(const RandomUniform& kind) const {
    if (kind.minval < kind.maxval && std::isfinite(kind.maxval - kind.minval)) return;
    throw Error(
        ErrorCode::kInvalidArgument,
        base::str_cat(where, "RandomUniform's interval is [", kind.minval, ", ", kind.maxval, ")"),
        "Give a minval below maxval");
  }
  void operator()(const Constant& kind) const { check_finite("Constant::value", kind.value); }
  void operator()(const Orthogonal& kind) const { check_finite("Orthogonal::gain", kind.gain); }
  void operator()(const Identity& kind) const { check_finite("Identity::gain", kind.gain); }
  void operator()(const VarianceScaling& kind) const {
    if (kind.scale > 0.0F && std::isfinite(kind.scale)) return;
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat(where, "VarianceScaling::scale is ", kind.scale),
                "Give a number above 0");
  }
  void operator()(const RandomNormal& kind) const {
    check_finite("RandomNormal::mean", kind.mean);
    check_stddev("RandomNormal::stddev", kind.stddev);
  }
  void operator()(const TruncatedNormal& kind) const {
    check_finite("TruncatedNormal::mean", kind.mean);
    check_stddev("TruncatedNormal::stddev", kind.stddev);
  }
  void check_finite(std::string_view field, float value) const {
    if (std::isfinite(value)) return;
    throw Error(ErrorCode::kInvalidArgument, base::str_cat(where, field, " is ", value),
                "Give a finite number");
  }
  void check_stddev(std::string_view field, float stddev) const {
    if (stddev >= 0.0F && std::isfinite(stddev)) return;
    throw Error(ErrorCode::kInvalidArgument, base::str_cat(where, field, " is ", stddev),
                "Give a number of at least 0");
  }
};

}  // namespace

std::uint64_t stream_of(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char character : name) {
    hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001B3U;
  }
  return hash;
}

void validate(const Initializer& initializer, std::string_view where) {
  std::visit(Check{where}, initializer);
}

void initialize(const Initializer& initializer, const Shape& shape, std::uint64_t seed,
                std::string_view name, std::span<float> values) {
  initialize_part(initializer, shape, seed, name, 0, values);
}

void initialize_part(const Initializer& initializer, const Shape& shape, std::uint64_t seed,
                     std::string_view name, std::uint64_t first, std::span<float> values) {
  std::visit(Fill{seed, name, shape, fans_of(shape), first, values}, initializer);
}

}  // namespace tensor
}  // namespace dtrain::inline v0
