#pragma once

#include <memory>
#include <string>

#include "bench/exchange_job.h"
#include "measure.h"

namespace dtrain::benchmarks {

/// Batches of operations of a cluster of real processes: each call is one sample, the median of the
/// chief's operations in seconds. The first sample and every few after it have their results
/// checked. Copies share the job, which ends with the last of them. Confined to one thread.
class ExchangeSample {
 public:
  /// Starts the job; throws what ExchangeJob throws.
  explicit ExchangeSample(const bench::ExchangeJobOptions& options);

  double operator()();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// `w2s1/sync/fp32/arena`, for names.
std::string shape_name(const bench::ExchangeJobOptions& options);

}  // namespace dtrain::benchmarks
