#pragma once

#include <iosfwd>
#include <string>

#include "bench/exchange_run.h"

namespace dtrain::inline v0::bench {

/// The result as a table for people, and as one JSON object (docs/benchmarks.md has its fields).
///
/// Goodput counts the variables' (or rows') values as fp32, whatever type gradients travel in: it
/// is what training gets, each way. GB are 10^9 bytes. It and the ratios go by medians.
void print_table(const ExchangeResult& result, std::ostream& out);
std::string to_json(const ExchangeResult& result);

/// Worker 0's goodput over the limit's; of round trips, the limit's time over its. 1 is the limit.
double ratio_to(const ExchangeResult& result, const ExchangeLimit& limit);

/// 10^9 bytes a second, `bytes` in each `us`. 0 for no time.
double gigabytes_per_second(std::uint64_t bytes, double us);

}  // namespace dtrain::inline v0::bench
