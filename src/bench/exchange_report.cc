#include "bench/exchange_report.h"

#include <iomanip>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>

#include "base/strings.h"
#include "dtrain/version.h"

namespace dtrain::inline v0::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMedian = 0.5;

std::string fixed(double value, int digits) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

// Three figures or more: 4.21, 38.5, 12345.
std::string rounded(double value) { return fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0); }

std::string cell(const std::string& text) {
  constexpr std::size_t kWidth = 11;
  return text.size() >= kWidth ? " " + text : std::string(kWidth - text.size(), ' ') + text;
}

std::string name_cell(const std::string& text) {
  constexpr std::size_t kWidth = 26;
  return text.size() >= kWidth ? text + " " : text + std::string(kWidth - text.size(), ' ');
}

struct Speeds {
  double push_gb = 0;
  double pull_gb = 0;
  double keys = 0;  // a second
};

Speeds speeds_of(const ExchangeOptions& options, const Samples& samples) {
  const double us = samples.quantile_us(kMedian);
  const double gb = gigabytes_per_second(payload_bytes(options), us);
  Speeds speeds;
  if (pushes(options.workload)) speeds.push_gb = gb;
  if (pulls(options.workload)) speeds.pull_gb = gb;
  if (is_rows(options.workload) && us > 0)
    speeds.keys = static_cast<double>(options.keys) / us * 1e6;
  return speeds;
}

// Workers share the time: what they get adds up.
Speeds together(const ExchangeResult& result) {
  Speeds sum;
  for (const Samples& worker : result.workers) {
    const Speeds one = speeds_of(result.options, worker);
    sum.push_gb += one.push_gb;
    sum.pull_gb += one.pull_gb;
    sum.keys += one.keys;
  }
  return sum;
}

void print_row(std::ostream& out, const std::string& name, const Samples& samples,
               const Speeds& speeds, const ExchangeOptions& options) {
  out << name_cell(name) << cell(std::to_string(samples.count()));
  const double times[] = {samples.min_us(), samples.quantile_us(kMedian), samples.quantile_us(0.9),
                          samples.quantile_us(0.99), samples.max_us()};
  for (const double us : times) out << cell(rounded(us));
  if (pushes(options.workload)) out << cell(rounded(speeds.push_gb));
  if (pulls(options.workload)) out << cell(rounded(speeds.pull_gb));
  if (is_rows(options.workload)) out << cell(rounded(speeds.keys / 1e6));
  out << "\n";
}

void print_limits(const ExchangeResult& result, std::ostream& out) {
  if (result.limits.empty()) return;
  out << "limits of " << result.facts.front().host
      << " in the same run, and how near worker 0's median comes\n";
  for (const ExchangeLimit& limit : result.limits) {
    out << name_cell("  " + limit.name) << cell(std::to_string(limit.us.count()));
    const double us = limit.us.quantile_us(kMedian);
    out << cell(rounded(limit.us.min_us())) << cell(rounded(us));
    out << "   ";
    if (limit.bytes > 0) out << rounded(gigabytes_per_second(limit.bytes, us)) << " GB/s, ";
    out << "ratio " << rounded(ratio_to(result, limit)) << "\n";
  }
}

Json to_json(const Samples& samples) {
  return {{"count", samples.count()},
          {"min_us", samples.min_us()},
          {"p50_us", samples.quantile_us(kMedian)},
          {"p90_us", samples.quantile_us(0.9)},
          {"p99_us", samples.quantile_us(0.99)},
          {"max_us", samples.max_us()},
          {"mean_us",
           samples.empty() ? 0.0 : samples.total_us() / static_cast<double>(samples.count())}};
}

void add_speeds(Json& json, const Speeds& speeds, const ExchangeOptions& options) {
  if (pushes(options.workload)) json["push_gb_per_s"] = speeds.push_gb;
  if (pulls(options.workload)) json["pull_gb_per_s"] = speeds.pull_gb;
  if (is_rows(options.workload)) json["keys_per_s"] = speeds.keys;
}

Json to_json(const ExchangeOptions& options) {
  Json json = {{"workload", to_string(options.workload)},
               {"bytes", payload_bytes(options)},
               {"consistency", options.asynchronous ? "async" : "sync"},
               {"memory", options.arena ? "arena" : "own"},
               {"chunk_bytes", options.chunk_bytes},
               {"repetitions", options.repetitions},
               {"seconds", options.seconds},
               {"warmup", options.warmup}};
  if (is_rows(options.workload)) {
    json["rows"] = options.rows;
    json["width"] = options.width;
    json["keys"] = options.keys;
  } else {
    json["variables"] = variables_of(options).size();
    json["model"] = options.model;
    json["dtype"] = to_string(options.dtype);
  }
  return json;
}

}  // namespace

double gigabytes_per_second(std::uint64_t bytes, double us) {
  return us > 0 ? static_cast<double>(bytes) / us / 1e3 : 0;
}

double ratio_to(const ExchangeResult& result, const ExchangeLimit& limit) {
  const double own = result.workers.front().quantile_us(kMedian);
  const double best = limit.us.quantile_us(kMedian);
  if (limit.bytes == 0) return own > 0 ? best / own : 0;
  const double goodput = gigabytes_per_second(payload_bytes(result.options), own);
  const double limit_goodput = gigabytes_per_second(limit.bytes, best);
  return limit_goodput > 0 ? goodput / limit_goodput : 0;
}

void print_table(const ExchangeResult& result, std::ostream& out) {
  const ExchangeOptions& options = result.options;
  const std::size_t workers = result.workers.size();
  out << describe(options) << "; " << workers << (workers == 1 ? " worker, " : " workers, ")
      << result.servers.size() << " ps; " << result.transport << "\n";
  out << name_cell("") << cell("rounds");
  for (const char* head : {"min us", "p50 us", "p90 us", "p99 us", "max us"}) out << cell(head);
  if (pushes(options.workload)) out << cell("push GB/s");
  if (pulls(options.workload)) out << cell("pull GB/s");
  if (is_rows(options.workload)) out << cell("M keys/s");
  out << "\n";
  for (std::size_t rank = 0; rank < result.workers.size(); ++rank) {
    const Samples& samples = result.workers[rank];
    print_row(out, base::str_cat("worker ", rank, " on ", result.facts[rank].host), samples,
              speeds_of(options, samples), options);
  }
  if (result.workers.size() > 1) {
    print_row(out, "together", result.together(), together(result), options);
  }
  print_limits(result, out);
  out << "values are right\n";
}

std::string to_json(const ExchangeResult& result) {
  Json json = {{"dtrain", DTRAIN_VERSION},
               {"benchmark", "exchange"},
               {"options", to_json(result.options)},
               {"cluster",
                {{"workers", result.workers.size()},
                 {"ps", result.servers.size()},
                 {"servers", result.servers}}},
               {"transport", result.transport},
               {"seconds", result.seconds},
               {"values_right", true}};
  Json workers = Json::array();
  for (std::size_t rank = 0; rank < result.workers.size(); ++rank) {
    Json worker = {{"rank", rank},
                   {"host", result.facts[rank].host},
                   {"network_bytes", result.facts[rank].network_bytes},
                   {"shared_bytes", result.facts[rank].shared_bytes},
                   {"staged_bytes", result.facts[rank].staged_bytes}};
    worker.update(to_json(result.workers[rank]));
    add_speeds(worker, speeds_of(result.options, result.workers[rank]), result.options);
    workers.push_back(std::move(worker));
  }
  json["workers"] = std::move(workers);
  Json all = to_json(result.together());
  add_speeds(all, together(result), result.options);
  json["together"] = std::move(all);
  Json limits = Json::array();
  for (const ExchangeLimit& limit : result.limits) {
    Json one = {{"name", limit.name}};
    one.update(to_json(limit.us));
    if (limit.bytes > 0) {
      one["bytes"] = limit.bytes;
      one["gb_per_s"] = gigabytes_per_second(limit.bytes, limit.us.quantile_us(kMedian));
    }
    one["ratio"] = ratio_to(result, limit);
    limits.push_back(std::move(one));
  }
  json["limits"] = std::move(limits);
  return json.dump();
}

}  // namespace dtrain::inline v0::bench
