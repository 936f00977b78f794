#pragma once

#include <cstddef>
#include <memory>

#include "compute/device.h"

namespace dtrain::inline v0::bench {

/// Of out (m × n) = op(a) (m × k) · op(b) (k × n).
struct ProductShape {
  std::size_t m = 0;
  std::size_t k = 0;
  std::size_t n = 0;
  bool transpose_a = false;
  bool transpose_b = false;

  double operations() const {
    return 2.0 * static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(n);
  }
};

/// A product of matrices alone, with the fastest kernel of this project (Eigen's, as fast as
/// OpenBLAS and MKL here) on one thread. Confined to one thread.
class ProductLimit {
 public:
  explicit ProductLimit(const ProductShape& shape);

  /// Seconds of one product. What takes less than some microseconds is repeated, and the result the
  /// mean.
  double sample();

 private:
  const ProductShape shape_;
  std::unique_ptr<compute::Device> device_;
  compute::Buffer<float> a_;
  compute::Buffer<float> b_;
  compute::Buffer<float> out_;
};

}  // namespace dtrain::inline v0::bench
