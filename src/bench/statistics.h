#pragma once

#include <vector>

#include "base/clock.h"

namespace dtrain::inline v0::bench {

/// The value below which the share `part` (0 to 1) of the values lies, between two of them where
/// it must be. 0 without values.
double quantile(std::vector<double> values, double part);
double median(std::vector<double> values);

/// Seconds since it was made.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  base::TimePoint start_ = std::chrono::steady_clock::now();
};

}  // namespace dtrain::inline v0::bench
