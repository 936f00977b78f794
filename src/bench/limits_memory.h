#pragma once

#include <cstddef>
#include <span>

#include "tensor/arena.h"

namespace dtrain::inline v0::bench {

/// sum[i] += added[i] with vectors of 32 bytes where this machine has them. As long as each other.
void add_in_place(std::span<float> sum, std::span<const float> added);

/// What one thread does with memory: copying, adding. Confined to one thread.
class MemoryLimit {
 public:
  /// For samples of up to `bytes_max` bytes. Two buffers of that size, all pages touched.
  explicit MemoryLimit(std::size_t bytes_max);

  /// Seconds of copying `bytes` with memcpy in pieces of `chunk`; sizes of whole floats. What takes
  /// less than some microseconds is repeated, and the result the mean.
  double copy(std::size_t bytes, std::size_t chunk);
  /// Seconds of adding `bytes` of fp32 numbers to as many others, in place; a mean likewise.
  double add(std::size_t bytes);

 private:
  void check(std::size_t bytes) const;

  tensor::Arena from_;
  tensor::Arena to_;
};

}  // namespace dtrain::inline v0::bench
