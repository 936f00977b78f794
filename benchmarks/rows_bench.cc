// Rows of a large table on servers: pulling and pushing sorted random rows, against gathering the
// same rows from memory of this process, and adding to them.
#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "bench/exchange_data.h"
#include "bench/limits_rows.h"
#include "exchange_case.h"
#include "measure.h"

namespace dtrain::benchmarks {
namespace {

using bench::ExchangeJobOptions;
using bench::Workload;

// A table is large: cases with the same share it.
struct LocalTable {
  std::int64_t rows = 0;
  std::int64_t width = 0;
  std::unique_ptr<bench::RowsLimit> limit;

  bench::RowsLimit& get(std::int64_t wanted_rows, std::int64_t wanted_width) {
    if (!limit || rows != wanted_rows || width != wanted_width) {
      limit.reset();
      limit = std::make_unique<bench::RowsLimit>(static_cast<std::size_t>(wanted_rows),
                                                 static_cast<std::size_t>(wanted_width));
      rows = wanted_rows;
      width = wanted_width;
    }
    return *limit;
  }
};

Comparison compare(const std::shared_ptr<LocalTable>& local, const ExchangeJobOptions& job) {
  const bench::ExchangeOptions& exchange = job.exchange;
  const auto keys = std::make_shared<std::vector<std::uint64_t>>(bench::draw_keys(
      static_cast<std::uint64_t>(exchange.rows), static_cast<std::uint64_t>(exchange.keys), 0));
  const auto rows = std::make_shared<std::vector<float>>(
      keys->size() * static_cast<std::size_t>(exchange.width), 1.0F);
  bench::RowsLimit& table = local->get(exchange.rows, exchange.width);
  const bool pull = exchange.workload == Workload::kRowsPull;
  return {.result = ExchangeSample(job),
          .limit =
              [local, keys, rows, &table, pull] {
                return pull ? table.gather(*keys, *rows) : table.scatter_add(*keys, *rows);
              },
          .bytes = static_cast<double>(bench::payload_bytes(exchange)),
          .items = static_cast<double>(exchange.keys)};
}

void add_rows(const std::shared_ptr<LocalTable>& local, const ProgramOptions& options,
              ExchangeJobOptions job) {
  for (const Workload workload : {Workload::kRowsPull, Workload::kRowsPush}) {
    job.exchange.workload = workload;
    const std::string name =
        base::str_cat("rows/", workload == Workload::kRowsPull ? "pull/" : "push/", job.transport,
                      "/", job.exchange.keys, "x", job.exchange.width, "/", shape_name(job));
    add_case(name, options, [=] { return compare(local, job); });
  }
}

}  // namespace

std::vector<bench::ChildRole> child_roles() { return {bench::exchange_role()}; }

void register_benchmarks(const ProgramOptions& options) {
  const auto local = std::make_shared<LocalTable>();
  ExchangeJobOptions job{.exchange = {.workload = Workload::kRowsPull}};
  if (options.small) {
    job.exchange.rows = 100'000;
    job.exchange.keys = 1'000;
    add_rows(local, options, job);
    return;
  }
  for (const char* transport : {"shm", "tcp"}) {
    for (const std::int64_t width : {16, 64}) {
      job.transport = transport;
      // As many bytes of table for both widths.
      job.exchange.rows = 160'000'000 / width;
      job.exchange.width = width;
      job.workers = job.servers = 1;
      add_rows(local, options, job);
      job.workers = job.servers = 2;
      add_rows(local, options, job);
    }
  }
}

}  // namespace dtrain::benchmarks
