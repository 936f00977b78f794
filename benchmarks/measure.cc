#include "measure.h"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "bench/statistics.h"

namespace dtrain::benchmarks {
namespace {

constexpr int kWarmUpsMax = 2;
constexpr int kSamples = 21;
constexpr int kSmallSamples = 3;

void report_rate(benchmark::State& state, const std::string& prefix, const Comparison& comparison,
                 double seconds) {
  if (comparison.bytes > 0) state.counters[prefix + "bytes_per_s"] = comparison.bytes / seconds;
  if (comparison.items > 0) state.counters[prefix + "items_per_s"] = comparison.items / seconds;
}

void report(benchmark::State& state, const Comparison& comparison,
            const std::vector<double>& results, const std::vector<double>& limits) {
  const double result = bench::median(results);
  state.counters["p50_us"] = result * 1e6;
  report_rate(state, "", comparison, result);
  if (comparison.more) comparison.more(state.counters);
  if (limits.empty()) return;
  const double limit = bench::median(limits);
  state.counters["limit_us"] = limit * 1e6;
  report_rate(state, "limit_", comparison, limit);
  state.counters["ratio"] = limit / result;
}

int samples_of(const ProgramOptions& options) {
  if (options.samples > 0) return options.samples;
  return options.small ? kSmallSamples : kSamples;
}

void run_case(benchmark::State& state, const MakeComparison& make, int warm_ups) {
  try {
    const Comparison comparison = make();
    for (int i = 0; i < warm_ups; ++i) {
      comparison.result();
      if (comparison.limit) comparison.limit();
    }
    std::vector<double> results;
    std::vector<double> limits;
    for ([[maybe_unused]] auto _ : state) {
      results.push_back(comparison.result());
      if (comparison.limit) limits.push_back(comparison.limit());
      state.SetIterationTime(results.back());
    }
    report(state, comparison, results, limits);
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
  }
}

}  // namespace

void add_case(const std::string& name, const ProgramOptions& options, MakeComparison make) {
  const int samples = samples_of(options);
  benchmark::RegisterBenchmark(name.c_str(),
                               [make = std::move(make), samples](benchmark::State& state) {
                                 run_case(state, make, std::min(kWarmUpsMax, samples));
                               })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond)
      ->Iterations(samples);
}

std::string size_name(std::size_t bytes) {
  constexpr std::size_t kKiB = 1024;
  if (bytes >= kKiB * kKiB && bytes % (kKiB * kKiB) == 0) {
    return base::str_cat(bytes / (kKiB * kKiB), "MiB");
  }
  return bytes >= kKiB && bytes % kKiB == 0 ? base::str_cat(bytes / kKiB, "KiB")
                                            : base::str_cat(bytes, "B");
}

}  // namespace dtrain::benchmarks
