#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/exchange_options.h"
#include "bench/exchange_samples.h"
#include "bench/exchange_session.h"
#include "dtrain/cluster.h"

namespace dtrain::inline v0::bench {

/// A limit of the chief's machine, measured between the batches of the same run.
struct ExchangeLimit {
  std::string name;         ///< "memcpy", "TCP one way", ...
  std::uint64_t bytes = 0;  ///< What one operation moves, each way; 0 for a round trip.
  Samples us;
};

/// How the chief measures one: each call makes an operation or a few.
struct LimitProbe {
  std::string name;
  std::uint64_t bytes = 0;
  std::function<std::vector<float>()> measure;  ///< Times in µs.
};

/// Everything that a run has found.
struct ExchangeResult {
  ExchangeOptions options;
  std::vector<Samples> workers;      ///< By rank.
  std::vector<WorkerFacts> facts;    ///< By rank.
  std::vector<std::string> servers;  ///< `ps 0 at host:port`
  std::string transport;             ///< "shared memory", "tcp", "ipc", or two of them.
  double seconds = 0;                ///< From the first batch to the end of the last.
  std::vector<ExchangeLimit> limits;

  /// Of all workers.
  Samples together() const;
};

/// Which way bytes went, of a whole job.
std::string transport_path(const std::vector<WorkerFacts>& facts, const ClusterOptions& options);

/// A worker's part in a benchmark, collective. The chief warms up, makes batches until the options'
/// repetitions or seconds are over, measures a part of each probe in between, has results checked
/// in the first and the last batch, and returns what was found; the others return nothing.
/// `make_probes` is called by the chief after the warm-up, with what has moved so far. Throws as
/// ExchangeSession does.
std::optional<ExchangeResult> run_exchange(
    Cluster& cluster, const ExchangeOptions& options,
    const std::function<std::vector<LimitProbe>(const Traffic&)>& make_probes);

}  // namespace dtrain::inline v0::bench
