#include <unistd.h>

#include <array>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "app/commands.h"
#include "base/strings.h"
#include "bench/exchange_data.h"
#include "bench/exchange_limits.h"
#include "bench/exchange_report.h"
#include "bench/exchange_run.h"
#include "dtrain/cluster_spec.h"
#include "dtrain/error.h"
#include "dtrain/run.h"

namespace dtrain::inline v0::app {
namespace {

// A benchmark's operations take seconds at most: who waits for longer waits in vain.
constexpr auto kOperationTimeout = std::chrono::seconds(120);

bool choose(const std::string& value, const char* option, const char* yes, const char* no) {
  if (value == yes || value == no) return value == yes;
  throw Error(ErrorCode::kInvalidArgument, base::str_cat(option, " is \"", value, "\""),
              base::str_cat("Give ", yes, " or ", no));
}

bench::ExchangeOptions exchange_options(const BenchOptions& given) {
  bench::ExchangeOptions options;
  options.workload = bench::parse_workload(given.workload);
  options.size_bytes = bench::parse_size(given.size, "--size");
  options.variables = given.variables;
  options.model = given.model;
  options.dtype = bench::parse_dtype(given.dtype);
  options.asynchronous = choose(given.consistency, "--consistency", "async", "sync");
  options.arena = choose(given.memory, "--memory", "arena", "own");
  options.chunk_bytes = bench::parse_size(given.chunk, "--chunk");
  options.rows = given.rows;
  options.width = given.width;
  options.keys = given.keys;
  options.repetitions = given.repetitions;
  options.seconds = given.seconds;
  options.warmup = given.warmup;
  bench::validate(options);
  return options;
}

void require_servers(const ClusterSpec& spec) {
  if (!spec.is_local() && !spec.servers().empty()) return;
  throw Error(ErrorCode::kInvalidArgument,
              spec.is_local() ? "dtrain bench was started without a cluster"
                              : "the cluster has no ps, with whom workers would exchange",
              "Start it in every process of a cluster with a ps: dtrain launch --workers 2 --ps 2 "
              "-- dtrain bench push-pull");
}

// Worse here than after minutes of measuring, or by the kernel's killer of processes.
void require_memory(const bench::ExchangeOptions& options, const ClusterSpec& spec) {
  const std::uint64_t payload = bench::payload_bytes(options);
  const bool is_ps = spec.self().role == Role::kPs;
  // A worker's gradients and values; a server's values, spare values and sum.
  const std::uint64_t needed =
      is_ps ? (bench::is_rows(options.workload) ? 0 : 3 * payload / spec.servers().size())
            : 2 * payload;
  const auto memory = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                      static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  if (needed <= memory) return;
  throw Error(ErrorCode::kInvalidArgument,
              base::str_cat(to_string(spec.self()), " would need ", base::bytes(needed),
                            ", and this machine has ", base::bytes(memory)),
              "Give a smaller --size, or fewer --keys");
}

void require_exact(const bench::ExchangeOptions& options, const ClusterSpec& spec) {
  const auto workers = static_cast<int>(spec.workers().size());
  const std::uint64_t most = bench::exact_steps_max(workers, options.asynchronous);
  if (!bench::pushes(options.workload) || options.repetitions < most) return;
  throw Error(
      ErrorCode::kInvalidArgument,
      base::str_cat("--repetitions is ", options.repetitions, ", and after ", most, " pushes of ",
                    workers, " workers, values would leave what fp32 holds exactly"),
      "Give fewer: results are checked");
}

bool is_writable(const std::string& path) {
  return path.empty() || path == "-" || std::ofstream(path, std::ios::app);
}

[[noreturn]] void refuse_file(const std::string& path) {
  throw Error(ErrorCode::kInvalidArgument, base::str_cat("--json ", path, " cannot be written"),
              "Give a file in a folder that exists, or - for standard output");
}

bench::LinksUsed links_used(const Traffic& traffic) {
  return {.network = traffic.network_bytes_sent + traffic.network_bytes_received > 0,
          .shared_memory = traffic.shared_bytes_sent + traffic.shared_bytes_received > 0};
}

void write(const bench::ExchangeResult& result, const std::string& json) {
  if (json == "-") {
    std::cout << bench::to_json(result) << std::endl;
    return;
  }
  bench::print_table(result, std::cout);
  std::cout.flush();
  if (json.empty()) return;
  std::ofstream out(json, std::ios::trunc);
  out << bench::to_json(result) << "\n";
  out.close();
  if (!out) {
    throw Error(ErrorCode::kResourceExhausted, base::str_cat(json, " could not be written"),
                "See whether the disk is full");
  }
}

void measure(Cluster& cluster, const bench::ExchangeOptions& options, const BenchOptions& given) {
  std::optional<bench::ExchangeLimits> limits;
  const auto result = bench::run_exchange(cluster, options, [&](const Traffic& traffic) {
    if (!given.limits) return std::vector<bench::LimitProbe>();
    limits.emplace(options, links_used(traffic));
    return limits->probes();
  });
  if (result) write(*result, given.json);
}

}  // namespace

int run_bench(const BenchOptions& given) {
  const bench::ExchangeOptions options = exchange_options(given);
  const ClusterSpec spec = ClusterSpec::from_environment();
  require_servers(spec);
  require_memory(options, spec);
  require_exact(options, spec);
  std::array<char, 1> name{};
  char* arguments[] = {name.data(), nullptr};
  const ClusterOptions cluster_options{.operation_timeout = kOperationTimeout,
                                       .transport = given.transport};
  bool is_input_wrong = false;
  const auto train = [&](Cluster& cluster) {
    // In the cluster, so that the others do not wait for a chief that has given up.
    is_input_wrong = cluster.is_chief() && !is_writable(given.json);
    if (is_input_wrong) refuse_file(given.json);
    measure(cluster, options, given);
  };
  const int code = run(1, arguments, train, cluster_options);
  return is_input_wrong ? kExitConfiguration : code;
}

}  // namespace dtrain::inline v0::app
