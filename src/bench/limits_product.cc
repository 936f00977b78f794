#include "bench/limits_product.h"

#include <algorithm>

#include "bench/statistics.h"
#include "compute/cpu_device.h"

namespace dtrain::inline v0::bench {
namespace {

// A sample has at least so many operations (some ten microseconds): the clock is no part of it.
constexpr double kSampleOperations = 1e6;

}  // namespace

ProductLimit::ProductLimit(const ProductShape& shape)
    : shape_(shape), device_(compute::cpu_device()) {
  std::ranges::fill(a_.reserve(*device_, shape.m * shape.k), 0.5F);
  std::ranges::fill(b_.reserve(*device_, shape.k * shape.n), 0.25F);
  out_.reserve(*device_, shape.m * shape.n);
}

double ProductLimit::sample() {
  const auto [m, k, n, transpose_a, transpose_b] = shape_;
  const compute::ConstMatrix a(a_.data(), transpose_a ? k : m, transpose_a ? m : k);
  const compute::ConstMatrix b(b_.data(), transpose_b ? n : k, transpose_b ? k : n);
  const double wanted = kSampleOperations / std::max(shape_.operations(), 1.0);
  const auto repeats = std::max<std::size_t>(static_cast<std::size_t>(wanted), 1);
  const Stopwatch watch;
  for (std::size_t repeat = 0; repeat < repeats; ++repeat) {
    device_->product({.a = a,
                      .b = b,
                      .transpose_a = transpose_a,
                      .transpose_b = transpose_b,
                      .out = {out_.data(), m, n}});
  }
  device_->synchronize();
  return watch.seconds() / static_cast<double>(repeats);
}

}  // namespace dtrain::inline v0::bench
