#include "training_data.h"

#include <cmath>
#include <string_view>
#include <utility>
#include <variant>

namespace {

constexpr std::size_t kClasses = 10;

// Those of comparison/peers/workloads.py.
enum Stream : std::uint64_t {
  kImages = 1,
  kLabels = 2,
  kNoise = 3,
  kIds = 4,
  kNumbers = 5,
  kVariables = 16,  // and so on, one for each variable
};

/// Number `index` of a stream, in [0, 1) in steps of 2^-24, so that float32 has it exactly. The
/// hash is splitmix64's.
double uniform(std::uint64_t stream, std::uint64_t index) {
  std::uint64_t z = ((stream << 40U) + index + 1) * 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  z ^= z >> 31U;
  return static_cast<double>(z >> 40U) * 0x1p-24;
}

float uniform_float(std::uint64_t stream, std::uint64_t index) {
  return static_cast<float>(uniform(stream, index));
}

/// One of `count`.
std::int64_t choose(std::uint64_t stream, std::uint64_t index, std::int64_t count) {
  return static_cast<std::int64_t>(uniform(stream, index) * static_cast<double>(count));
}

std::size_t element_count(const dtrain::Shape& shape) {
  std::size_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
  return count;
}

/// First values lie in [-limit, limit).
double limit_of(std::string_view variable, const dtrain::Shape& shape) {
  if (variable.ends_with("/bias")) return 0.0;
  if (variable.ends_with("/embeddings")) return 0.05;
  std::int64_t window = 1;  // Of a convolution.
  for (std::size_t i = 0; i + 2 < shape.size(); ++i) window *= shape[i];
  const std::int64_t fans = window * (shape[shape.size() - 2] + shape.back());
  return std::sqrt(6.0 / static_cast<double>(fans));
}

}  // namespace

dtrain::Dataset make_images(std::size_t examples, const dtrain::Shape& shape) {
  const std::size_t size = element_count(shape);
  std::vector<float> classes(kClasses * size);
  for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = uniform_float(kImages, i);
  std::vector<float> pixels(examples * size);
  std::vector<std::int32_t> labels(examples);
  for (std::size_t i = 0; i < examples; ++i) {
    labels[i] = static_cast<std::int32_t>(choose(kLabels, i, kClasses));
    const float* image = classes.data() + static_cast<std::size_t>(labels[i]) * size;
    for (std::size_t p = 0; p < size; ++p) {
      pixels[i * size + p] = 0.5F * (image[p] + uniform_float(kNoise, i * size + p));
    }
  }
  return dtrain::Dataset::from_memory(pixels, shape, labels);
}

dtrain::Dataset make_clicks(std::size_t examples, std::size_t ids, std::int64_t rows) {
  std::vector<std::int64_t> features(examples * ids);
  for (std::size_t i = 0; i < features.size(); ++i) features[i] = choose(kIds, i, rows);
  std::vector<float> targets(examples);
  for (std::size_t i = 0; i < examples; ++i) targets[i] = features[i * ids] % 4 == 0 ? 0.0F : 1.0F;
  return dtrain::Dataset::from_memory(features, {static_cast<std::int64_t>(ids)}, targets);
}

const std::vector<IdColumn>& census_columns() {
  static const std::vector<IdColumn> columns = {
      {"workclass", 10},   {"education", 17}, {"marital_status", 8}, {"occupation", 16},
      {"relationship", 7}, {"race", 6},       {"gender", 3},         {"native_country", 43}};
  return columns;
}

dtrain::Dataset make_census(std::size_t examples) {
  const std::vector<IdColumn>& columns = census_columns();
  dtrain::Examples census;
  for (std::size_t k = 0; k < columns.size(); ++k) {
    std::vector<std::int64_t> ids(examples);
    for (std::size_t i = 0; i < examples; ++i) {
      ids[i] = choose(kIds, i * columns.size() + k, columns[k].ids);
    }
    census.features.push_back({.name = columns[k].name, .values = std::move(ids)});
  }
  std::vector<float> numbers(examples * kCensusNumbers);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = 2.0F * uniform_float(kNumbers, i) - 1.0F;
  }
  // The first number decides, and where it is small the parity of the second column's id.
  std::vector<float> targets(examples);
  const auto& ids = std::get<std::vector<std::int64_t>>(census.features[1].values);
  for (std::size_t i = 0; i < examples; ++i) {
    const float bias = ids[i] % 2 == 0 ? 0.5F : -0.5F;
    targets[i] = numbers[i * kCensusNumbers] + bias > 0.0F ? 1.0F : 0.0F;
  }
  census.features.push_back(
      {.name = "numbers", .values = std::move(numbers), .shape = {kCensusNumbers}});
  census.targets.push_back({.name = "income", .values = std::move(targets)});
  return dtrain::Dataset::from_columns(std::move(census));
}

void set_first_values(dtrain::Model& model) {
  std::uint64_t stream = kVariables;
  for (const std::string& name : model.variable_names()) {
    const dtrain::Shape shape = model.variable_shape(name);
    const double limit = limit_of(name, shape);
    std::vector<float> values(element_count(shape));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>((2.0 * uniform(stream, i) - 1.0) * limit);
    }
    model.set_variable(name, values);
    ++stream;
  }
}
