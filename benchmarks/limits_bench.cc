// The machine's limits by themselves: what the other programs compare their results with.
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/strings.h"
#include "bench/limits_memory.h"
#include "bench/limits_ping.h"
#include "bench/limits_product.h"
#include "bench/limits_ring.h"
#include "bench/limits_rows.h"
#include "bench/limits_stream.h"
#include "bench/limits_zmq.h"
#include "bench/statistics.h"
#include "measure.h"

namespace dtrain::benchmarks {
namespace {

constexpr std::size_t kKiB = 1 << 10;
constexpr std::size_t kMiB = 1 << 20;

void register_memory(const ProgramOptions& options) {
  for (const std::size_t bytes : options.small ? std::vector{kMiB} : std::vector{kMiB, 64 * kMiB}) {
    const auto rate = static_cast<double>(bytes);
    add_case("limits/memcpy/" + size_name(bytes), options, [=]() -> Comparison {
      const auto memory = std::make_shared<bench::MemoryLimit>(bytes);
      return {.result = [=] { return memory->copy(bytes, 0); }, .bytes = rate};
    });
    add_case("limits/add/" + size_name(bytes), options, [=]() -> Comparison {
      const auto memory = std::make_shared<bench::MemoryLimit>(bytes);
      return {.result = [=] { return memory->add(bytes); }, .bytes = rate};
    });
  }
}

using StreamFunction = double (bench::StreamLimit::*)(std::size_t, std::size_t);

void add_stream(const ProgramOptions& options, const std::string& name, bench::StreamKind kind,
                StreamFunction function, std::size_t bytes, std::size_t chunk) {
  add_case(base::str_cat("limits/", name, "/", size_name(bytes), "/", size_name(chunk)), options,
           [=]() -> Comparison {
             const auto stream = std::make_shared<bench::StreamLimit>(kind, bytes);
             return {.result = [=] { return ((*stream).*function)(bytes, chunk); },
                     .bytes = static_cast<double>(bytes)};
           });
}

void register_streams(const ProgramOptions& options) {
  using bench::StreamKind;
  using bench::StreamLimit;
  const std::vector<std::size_t> sizes =
      options.small ? std::vector{kMiB} : std::vector{kMiB, 16 * kMiB, 64 * kMiB};
  const std::vector<std::size_t> chunks =
      options.small ? std::vector{kMiB} : std::vector{256 * kKiB, kMiB};
  for (const std::size_t bytes : sizes) {
    for (const std::size_t chunk : chunks) {
      if (chunk > bytes) continue;
      add_stream(options, "tcp", StreamKind::kTcp, &StreamLimit::one_way, bytes, chunk);
      add_stream(options, "tcp_duplex", StreamKind::kTcp, &StreamLimit::full_duplex, bytes, chunk);
      add_stream(options, "unix", StreamKind::kUnix, &StreamLimit::one_way, bytes, chunk);
      add_case(base::str_cat("limits/ring/", size_name(bytes), "/", size_name(chunk)), options,
               [=]() -> Comparison {
                 const auto ring = std::make_shared<bench::RingLimit>(bytes, chunk);
                 return {.result = [=] { return ring->sample(bytes, chunk); },
                         .bytes = static_cast<double>(bytes)};
               });
    }
  }
}

void add_ping(const ProgramOptions& options, const std::string& name, bench::Waiting waiting,
              bench::Cores cores) {
  add_case("limits/ping/" + name, options, [=]() -> Comparison {
    const auto ping = std::make_shared<bench::PingLimit>();
    return {.result = [=] { return bench::median(ping->sample(100, waiting, cores)); }};
  });
}

void register_round_trips(const ProgramOptions& options) {
  using bench::Cores;
  using bench::Waiting;
  add_ping(options, "sleep", Waiting::kSleep, Cores::kAny);
  add_ping(options, "sleep_one_core", Waiting::kSleep, Cores::kOne);
  add_ping(options, "sleep_two_cores", Waiting::kSleep, Cores::kTwo);
  add_ping(options, "spin", Waiting::kSpin, Cores::kTwo);
  for (const std::size_t bytes : {std::size_t{64}, 4 * kKiB}) {
    for (const bool tcp : {true, false}) {
      add_case(base::str_cat("limits/zmq/", tcp ? "tcp/" : "ipc/", size_name(bytes)), options,
               [=]() -> Comparison {
                 const auto ping = std::make_shared<bench::ZmqPingLimit>(
                     tcp ? bench::ZmqTransport::kTcp : bench::ZmqTransport::kIpc);
                 return {.result = [=] { return bench::median(ping->sample(100, bytes, 64)); }};
               });
    }
  }
}

struct Rows {
  Rows(std::size_t rows, std::size_t width, std::size_t count) : limit(rows, width) {
    std::mt19937_64 random(7);
    std::set<std::uint64_t> distinct;
    while (distinct.size() < count) distinct.insert(random() % rows);
    keys.assign(distinct.begin(), distinct.end());
    values.resize(count * width);
  }
  bench::RowsLimit limit;
  std::vector<std::uint64_t> keys;
  std::vector<float> values;
};

void register_rows(const ProgramOptions& options) {
  const std::size_t rows = options.small ? 100'000 : 10'000'000;
  const std::size_t count = rows / 100;
  for (const bool gather : {true, false}) {
    add_case(
        base::str_cat("limits/", gather ? "gather/" : "scatter_add/", count, "_of_", rows, "x16"),
        options, [=]() -> Comparison {
          const auto data = std::make_shared<Rows>(rows, 16, count);
          return {.result =
                      [=] {
                        return gather ? data->limit.gather(data->keys, data->values)
                                      : data->limit.scatter_add(data->keys, data->values);
                      },
                  .items = static_cast<double>(count)};
        });
  }
}

void register_products(const ProgramOptions& options) {
  const bench::ProductShape shape =
      options.small ? bench::ProductShape{16, 64, 32} : bench::ProductShape{64, 784, 1024};
  add_case(base::str_cat("limits/sgemm/", shape.m, "x", shape.k, "x", shape.n), options,
           [=]() -> Comparison {
             const auto product = std::make_shared<bench::ProductLimit>(shape);
             return {.result = [=] { return product->sample(); }, .items = shape.operations()};
           });
}

}  // namespace

std::vector<bench::ChildRole> child_roles() { return {}; }

void register_benchmarks(const ProgramOptions& options) {
  register_memory(options);
  register_streams(options);
  register_round_trips(options);
  register_rows(options);
  register_products(options);
}

}  // namespace dtrain::benchmarks
