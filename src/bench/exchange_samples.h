#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dtrain::inline v0::bench {

/// Times of operations in µs: what several batches and workers took, with the quantiles of all.
/// Thread-compatible.
class Samples {
 public:
  void add(std::span<const float> us);
  void add(const Samples& other);

  bool empty() const { return count_ == 0; }
  std::uint64_t count() const { return count_; }
  double total_us() const { return total_us_; }
  double min_us() const { return min_us_; }
  double max_us() const { return max_us_; }
  /// The time that the share `q` of the operations (0 to 1) did not exceed. 0 when empty.
  double quantile_us(double q) const;

  /// At most `bytes_max` bytes; beyond that, evenly spaced ones stand for their neighbours, and
  /// count, sum, least and largest stay exact.
  std::string encode(std::size_t bytes_max) const;
  /// Throws protocol for what encode() did not make.
  static Samples decode(std::string_view bytes);

 private:
  struct Sample {
    float us = 0;
    float weight = 1;  ///< Operations that it stands for.
  };
  std::vector<Sample> sorted() const;

  std::vector<Sample> samples_;
  std::uint64_t count_ = 0;
  double total_us_ = 0;
  double min_us_ = 0;
  double max_us_ = 0;
};

}  // namespace dtrain::inline v0::bench
