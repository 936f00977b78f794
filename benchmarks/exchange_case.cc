#include "exchange_case.h"

#include <algorithm>

#include "base/strings.h"

namespace dtrain::benchmarks {
namespace {

constexpr int kCheckEvery = 8;
// A batch: long enough that announcing it costs nothing, short enough for many samples.
constexpr double kBatchSeconds = 0.03;
constexpr double kRoundsMax = 2000;

}  // namespace

struct ExchangeSample::State {
  explicit State(const bench::ExchangeJobOptions& options) : job(options) {}

  bench::ExchangeJob job;
  std::uint32_t rounds = 1;
  int calls = 0;
};

ExchangeSample::ExchangeSample(const bench::ExchangeJobOptions& options)
    : state_(std::make_shared<State>(options)) {}

double ExchangeSample::operator()() {
  const bench::Workload workload = state_->job.options().exchange.workload;
  const bool check = state_->calls++ % kCheckEvery == 0;
  const bench::BatchTimes times = state_->job.run({workload, state_->rounds, check});
  const double seconds = times.workers.front().quantile_us(0.5) / 1e6;
  state_->rounds = static_cast<std::uint32_t>(
      std::clamp(kBatchSeconds / std::max(seconds, 1e-7), 1.0, kRoundsMax));
  return seconds;
}

std::string shape_name(const bench::ExchangeJobOptions& options) {
  const bench::ExchangeOptions& exchange = options.exchange;
  std::string name = base::str_cat("w", options.workers, "s", options.servers);
  if (bench::is_rows(exchange.workload)) return exchange.asynchronous ? name + "/async" : name;
  return base::str_cat(name, exchange.asynchronous ? "/async/" : "/sync/",
                       bench::to_string(exchange.dtype), exchange.arena ? "/arena" : "/own");
}

}  // namespace dtrain::benchmarks
