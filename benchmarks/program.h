#pragma once

#include <vector>

#include "bench/child.h"

/// What each program of benchmarks defines, and the main() that they share calls.
namespace dtrain::benchmarks {

struct ProgramOptions {
  bool small = false;  ///< Register one small case of each family instead of all.
  int samples = 0;     ///< Of a result and of its limit in a case; 0: 21, or 3 of a small one.
};

/// Registers its cases with Google Benchmark.
void register_benchmarks(const ProgramOptions& options);

/// What its child processes do, beside those of the limits.
std::vector<bench::ChildRole> child_roles();

}  // namespace dtrain::benchmarks
