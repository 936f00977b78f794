#include "bench/exchange_run.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/strings.h"

namespace dtrain::inline v0::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Long enough that the announcement of a batch costs nothing, short enough that limits are measured
// in the same mood of the machine.
constexpr double kBatchSeconds = 0.25;
constexpr std::uint32_t kBatchRoundsMax = 20'000;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Decides how many operations there are, from how long those before took.
class Plan {
 public:
  explicit Plan(const ExchangeOptions& options) : options_(options), begin_(Clock::now()) {}

  // 0: enough.
  std::uint32_t next_rounds(double median_us) const {
    const double wanted = std::max(kBatchSeconds * 1e6 / std::max(median_us, 0.1), 1.0);
    auto rounds = static_cast<std::uint32_t>(std::min<double>(wanted, kBatchRoundsMax));
    if (options_.repetitions > 0) return std::min(rounds, options_.repetitions - made_);
    return made_ > 0 && seconds_since(begin_) >= options_.seconds ? 0 : rounds;
  }
  bool is_last(std::uint32_t rounds, double median_us) const {
    if (options_.repetitions > 0) return made_ + rounds >= options_.repetitions;
    return seconds_since(begin_) + rounds * median_us / 1e6 >= options_.seconds;
  }
  void made(std::uint32_t rounds) { made_ += rounds; }

 private:
  const ExchangeOptions& options_;
  const Clock::time_point begin_;
  std::uint32_t made_ = 0;
};

void add(std::vector<Samples>& workers, const BatchTimes& times) {
  workers.resize(times.workers.size());
  for (std::size_t rank = 0; rank < workers.size(); ++rank) workers[rank].add(times.workers[rank]);
}

// The slowest worker's: they wait for each other, or the batch is as long as its.
double median_of(const BatchTimes& times) {
  double median = 0;
  for (const Samples& worker : times.workers) median = std::max(median, worker.quantile_us(0.5));
  return median;
}

void measure(Cluster& cluster, ExchangeSession& session,
             const std::function<std::vector<LimitProbe>(const Traffic&)>& make_probes,
             ExchangeResult& result) {
  const ExchangeOptions& options = result.options;
  double median = median_of(session.run({options.workload, options.warmup, true}));
  const std::vector<LimitProbe> probes = make_probes(cluster.traffic());
  for (const LimitProbe& probe : probes) {
    (void)probe.measure();  // its memory has not been touched yet
    result.limits.push_back({probe.name, probe.bytes, {}});
  }
  const auto begin = Clock::now();
  Plan plan(options);
  bool checked = false;
  while (true) {
    std::uint32_t rounds = plan.next_rounds(median);
    if (pushes(options.workload)) {
      const std::uint64_t left = session.pushes_left();
      // Two are not measured: the batch's own first, and that of a last batch with a check.
      rounds = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(rounds, left - std::min<std::uint64_t>(left, 4)));
    }
    if (rounds == 0) break;
    checked = plan.is_last(rounds, median);
    const BatchTimes times = session.run({options.workload, rounds, checked});
    plan.made(rounds);
    add(result.workers, times);
    median = median_of(times);
    for (std::size_t i = 0; i < probes.size(); ++i) result.limits[i].us.add(probes[i].measure());
  }
  if (!checked) (void)session.run({options.workload, 1, true});
  result.seconds = seconds_since(begin);
}

}  // namespace

Samples ExchangeResult::together() const {
  Samples all;
  for (const Samples& worker : workers) all.add(worker);
  return all;
}

std::string transport_path(const std::vector<WorkerFacts>& facts, const ClusterOptions& options) {
  std::uint64_t network = 0;
  std::uint64_t shared = 0;
  for (const WorkerFacts& worker : facts) {
    network += worker.network_bytes;
    shared += worker.shared_bytes;
  }
  const std::string sockets = options.transport == "ipc" ? "ipc" : "tcp";
  if (shared == 0) return sockets;
  return network == 0 ? "shared memory" : "shared memory and " + sockets;
}

std::optional<ExchangeResult> run_exchange(
    Cluster& cluster, const ExchangeOptions& options,
    const std::function<std::vector<LimitProbe>(const Traffic&)>& make_probes) {
  ExchangeSession session(cluster, options);
  if (!cluster.is_chief()) {
    session.follow();
    return std::nullopt;
  }
  ExchangeResult result{.options = options};
  measure(cluster, session, make_probes, result);
  result.facts = session.finish();
  result.transport = transport_path(result.facts, cluster.options());
  for (const Task server : cluster.spec().servers()) {
    result.servers.push_back(
        base::str_cat(to_string(server), " at ", cluster.spec().address(server)));
  }
  return result;
}

}  // namespace dtrain::inline v0::bench
