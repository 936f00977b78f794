#include "bench/exchange_limits.h"

#include <algorithm>
#include <optional>

#include "bench/exchange_data.h"
#include "bench/limits_memory.h"
#include "bench/limits_ping.h"
#include "bench/limits_rows.h"
#include "bench/limits_stream.h"
#include "bench/limits_zmq.h"

namespace dtrain::inline v0::bench {
namespace {

// More would take memory and time that the measured job needs.
constexpr std::uint64_t kBytesMax = std::uint64_t{256} << 20;
constexpr std::uint64_t kTableBytesMax = std::uint64_t{2} << 30;
// Up to here a round trip says more than a copy.
constexpr std::uint64_t kRoundTripBytesMax = 64 << 10;
constexpr std::size_t kRoundTrips = 100;
// What a probe may take each time it is asked.
constexpr double kProbeSeconds = 0.02;
constexpr std::size_t kProbeSamplesMax = 100;

float to_us(double seconds) { return static_cast<float>(seconds * 1e6); }

}  // namespace

struct ExchangeLimits::Tools {
  std::optional<MemoryLimit> memory;
  std::optional<StreamLimit> tcp;
  std::optional<PingLimit> ping;
  std::optional<ZmqPingLimit> zmq;
  std::optional<RowsLimit> rows;
  std::vector<std::uint64_t> keys;
  std::vector<float> row_values;
};

ExchangeLimits::ExchangeLimits(const ExchangeOptions& options, const LinksUsed& links)
    : tools_(std::make_unique<Tools>()) {
  if (is_rows(options.workload)) {
    add_rows(options);
  } else {
    add_variables(options, links);
  }
}

ExchangeLimits::~ExchangeLimits() = default;
ExchangeLimits::ExchangeLimits(ExchangeLimits&&) noexcept = default;

void ExchangeLimits::add(std::string name, std::uint64_t bytes, std::function<double()> sample) {
  auto measure = [sample = std::move(sample)] {
    std::vector<float> us;
    double total = 0;
    while (total < kProbeSeconds && us.size() < kProbeSamplesMax) {
      const double seconds = sample();
      total += seconds;
      us.push_back(to_us(seconds));
    }
    return us;
  };
  probes_.push_back({std::move(name), bytes, std::move(measure)});
}

void ExchangeLimits::add_variables(const ExchangeOptions& options, const LinksUsed& links) {
  Tools* tools = tools_.get();
  const std::uint64_t bytes = std::min(payload_bytes(options), kBytesMax);
  const std::size_t chunk = std::min<std::size_t>(options.chunk_bytes, bytes);
  if (bytes <= kRoundTripBytesMax) {
    constexpr std::size_t kEmpty = 64;  // a message without payload
    add_round_trips(links, pushes(options.workload) ? bytes : kEmpty,
                    pulls(options.workload) ? bytes : kEmpty);
    return;
  }
  tools->memory.emplace(bytes);
  if (pushes(options.workload)) {
    add("in-place add", bytes, [=] { return tools->memory->add(bytes); });
  }
  add("memcpy", bytes, [=] { return tools->memory->copy(bytes, chunk); });
  if (!links.network) return;
  tools->tcp.emplace(StreamKind::kTcp, bytes);
  if (options.workload == Workload::kPushPull) {
    add("TCP loopback, both ways", bytes, [=] { return tools->tcp->full_duplex(bytes, chunk); });
  } else {
    add("TCP loopback, one way", bytes, [=] { return tools->tcp->one_way(bytes, chunk); });
  }
}

void ExchangeLimits::add_round_trips(const LinksUsed& links, std::size_t there, std::size_t back) {
  Tools* tools = tools_.get();
  const auto add_all = [this](std::string name, std::function<std::vector<double>()> sample) {
    probes_.push_back({std::move(name), 0, [sample = std::move(sample)] {
                         std::vector<float> us;
                         for (const double seconds : sample()) us.push_back(to_us(seconds));
                         return us;
                       }});
  };
  if (links.shared_memory) {
    tools->ping.emplace();
    const auto ping = [=](Cores cores) {
      return tools->ping->sample(kRoundTrips, Waiting::kSleep, cores);
    };
    add_all("futex round trip, one core", [=] { return ping(Cores::kOne); });
    add_all("futex round trip, two", [=] { return ping(Cores::kTwo); });
  }
  if (links.network) {
    tools->zmq.emplace(ZmqTransport::kTcp);
    add_all("ZeroMQ round trip", [=] { return tools->zmq->sample(kRoundTrips, there, back); });
  }
}

void ExchangeLimits::add_rows(const ExchangeOptions& options) {
  Tools* tools = tools_.get();
  const auto rows = static_cast<std::uint64_t>(options.rows);
  const auto width = static_cast<std::uint64_t>(options.width);
  if (rows > kTableBytesMax / sizeof(float) / width) return;
  tools->rows.emplace(rows, width);
  tools->keys = draw_keys(rows, static_cast<std::uint64_t>(options.keys), 0);
  tools->row_values.resize(tools->keys.size() * width, 1.0F);
  const std::uint64_t bytes = payload_bytes(options);
  if (pulls(options.workload)) {
    add("local gather", bytes, [=] { return tools->rows->gather(tools->keys, tools->row_values); });
  } else {
    add("local scatter-add", bytes,
        [=] { return tools->rows->scatter_add(tools->keys, tools->row_values); });
  }
}

}  // namespace dtrain::inline v0::bench
