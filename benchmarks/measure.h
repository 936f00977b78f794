#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>

#include "program.h"

namespace dtrain::benchmarks {

/// One sample, in seconds. Throws when the result is wrong; that fails the case.
using Sample = std::function<double()>;

/// What is measured, and the limit that it is compared with. `limit` is what the machine can do at
/// best with the same work, at the same size: the ratio of the two is 1 there, and less below.
struct Comparison {
  Sample result;
  Sample limit = {};  ///< Empty where the result is a limit itself.
  double bytes = 0;   ///< Of one sample, for bytes_per_s; 0: it has no such rate.
  double items = 0;   ///< Of one sample, for items_per_s; 0: it has no such rate.
  /// Adds counters of its own when all samples have been taken. May be empty.
  std::function<void(benchmark::UserCounters& counters)> more = {};
};

/// Makes what a case needs; called when the case runs, so that one that is filtered out costs
/// nothing. What the samples use belongs to them (a shared_ptr in their captures).
using MakeComparison = std::function<Comparison()>;

/// Registers a case: samples of the result and of the limit in turn, after two of each that warm
/// up (one where one sample is asked for). Its counters are p50_us and limit_us (medians), the
/// rates, and ratio.
void add_case(const std::string& name, const ProgramOptions& options, MakeComparison make);

/// `4KiB`, `64MiB`, for names.
std::string size_name(std::size_t bytes);

}  // namespace dtrain::benchmarks
