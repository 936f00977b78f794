// Pushes and pulls between real processes: sizes, shapes of clusters, types, memory and transports
// against what the machine does with as many bytes; many variables against one; 64 workers and 19
// servers against one worker.
#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "bench/limits_memory.h"
#include "bench/limits_ping.h"
#include "bench/limits_stream.h"
#include "bench/limits_zmq.h"
#include "bench/statistics.h"
#include "exchange_case.h"
#include "measure.h"

namespace dtrain::benchmarks {
namespace {

using bench::ExchangeJobOptions;
using bench::ExchangeOptions;
using bench::Workload;

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;
// Below this a round trip is the limit, from there on bytes are.
constexpr std::size_t kRoundTripBytesMax = 64 * kKiB;
constexpr std::size_t kRoundTrips = 100;
// Of a message without payload.
constexpr std::size_t kEmptyBytes = 64;
constexpr Workload kWorkloads[] = {Workload::kPush, Workload::kPull, Workload::kPushPull};

Sample round_trip_limit(const ExchangeJobOptions& job) {
  if (job.transport == "shm") {
    return [ping = std::make_shared<bench::PingLimit>()] {
      return bench::median(ping->sample(kRoundTrips, bench::Waiting::kSleep, bench::Cores::kOne));
    };
  }
  const std::size_t bytes = job.exchange.size_bytes;
  const Workload workload = job.exchange.workload;
  return [ping = std::make_shared<bench::ZmqPingLimit>(bench::ZmqTransport::kTcp),
          there = bench::pushes(workload) ? bytes : kEmptyBytes,
          back = bench::pulls(workload) ? bytes : kEmptyBytes] {
    return bench::median(ping->sample(kRoundTrips, there, back));
  };
}

// What the issue compares with: a pass over memory on one host, a stream over the network.
Sample byte_limit(const ExchangeJobOptions& job) {
  const Workload workload = job.exchange.workload;
  const std::size_t bytes = job.exchange.size_bytes;
  const std::size_t chunk = std::min(job.exchange.chunk_bytes, bytes);
  if (job.transport == "shm") {
    return [memory = std::make_shared<bench::MemoryLimit>(bytes), bytes, chunk, workload] {
      return workload == Workload::kPush ? memory->add(bytes) : memory->copy(bytes, chunk);
    };
  }
  return [stream = std::make_shared<bench::StreamLimit>(bench::StreamKind::kTcp, bytes), bytes,
          chunk, workload] {
    return workload == Workload::kPushPull ? stream->full_duplex(bytes, chunk)
                                           : stream->one_way(bytes, chunk);
  };
}

Comparison compare(const ExchangeJobOptions& job) {
  const std::size_t bytes = job.exchange.size_bytes;
  return {.result = ExchangeSample(job),
          .limit = bytes < kRoundTripBytesMax ? round_trip_limit(job) : byte_limit(job),
          .bytes = static_cast<double>(bytes)};
}

void add_exchange(const ProgramOptions& options, ExchangeJobOptions job) {
  for (const Workload workload : kWorkloads) {
    job.exchange.workload = workload;
    const std::string name =
        base::str_cat("exchange/", bench::to_string(workload), "/", job.transport, "/",
                      size_name(job.exchange.size_bytes), "/", shape_name(job));
    add_case(name, options, [=] { return compare(job); });
  }
}

ExchangeJobOptions job_of(std::size_t bytes, const std::string& transport) {
  return {.exchange = {.size_bytes = bytes}, .transport = transport};
}

// Sizes alone, then everything else at the sizes where targets are.
void add_exchanges(const ProgramOptions& options) {
  if (options.small) {
    add_exchange(options, job_of(64 * kKiB, "shm"));
    return;
  }
  for (const char* transport : {"shm", "tcp"}) {
    for (std::size_t bytes = 4 * kKiB; bytes <= 256 * kMiB; bytes *= 4) {
      add_exchange(options, job_of(bytes, transport));
    }
    for (const std::size_t bytes : {4 * kKiB, 16 * kMiB, 64 * kMiB}) {
      ExchangeJobOptions job = job_of(bytes, transport);
      job.exchange.arena = false;
      add_exchange(options, job);
      job = job_of(bytes, transport);
      job.exchange.asynchronous = true;
      add_exchange(options, job);
      job = job_of(bytes, transport);
      job.exchange.dtype = GradientType::kBFloat16;
      add_exchange(options, job);
    }
    for (const int workers : {1, 2, 4}) {
      for (const int servers : {1, 2, 4}) {
        if (workers == 1 && servers == 1) continue;
        for (const bool asynchronous : {false, true}) {
          ExchangeJobOptions job = job_of(16 * kMiB, transport);
          job.workers = workers;
          job.servers = servers;
          job.exchange.asynchronous = asynchronous;
          add_exchange(options, job);
        }
      }
    }
  }
}

// One fused step of many variables; the limit is one of a single variable with as many bytes.
void add_many(const ProgramOptions& options, const std::string& name,
              const ExchangeOptions& exchange) {
  add_case(base::str_cat("variables/", name), options, [=] {
    const std::size_t bytes = bench::payload_bytes(exchange);
    return Comparison{.result = ExchangeSample({.exchange = exchange}),
                      .limit = ExchangeSample({.exchange = {.size_bytes = bytes}}),
                      .bytes = static_cast<double>(bytes)};
  });
}

void add_variables(const ProgramOptions& options) {
  if (options.small) {
    add_many(options, "100x1KiB", {.size_bytes = 100 * kKiB, .variables = 100});
    return;
  }
  add_many(options, "1000x1KiB", {.size_bytes = 1000 * kKiB, .variables = 1000});
  add_many(options, "resnet50", {.model = "resnet50"});
  add_many(options, "recommender", {.model = "recommender"});
}

// The limit is what as many workers would take one after the other: a ratio below 1 / 1.3 misses
// the target.
void add_scale(const ProgramOptions& options, int workers, int servers, const std::string& size,
               std::size_t bytes) {
  add_case(base::str_cat("scale/w", workers, "s", servers, "/", size), options, [=] {
    ExchangeJobOptions job = job_of(bytes, "shm");
    job.servers = servers;
    ExchangeSample one(job);
    job.workers = workers;
    return Comparison{.result = ExchangeSample(job),
                      .limit = [one, workers]() mutable { return workers * one(); },
                      .bytes = static_cast<double>(bytes) * workers};
  });
}

}  // namespace

std::vector<bench::ChildRole> child_roles() { return {bench::exchange_role()}; }

void register_benchmarks(const ProgramOptions& options) {
  add_exchanges(options);
  add_variables(options);
  if (options.small) {
    add_scale(options, 4, 3, "38KB", 38'000);
    return;
  }
  add_scale(options, 64, 19, "38KB", 38'000);
  add_scale(options, 64, 19, "8MiB", 8 * kMiB);
}

}  // namespace dtrain::benchmarks
