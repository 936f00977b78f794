// Endpoints in two processes: how long one message takes to be answered, and how fast many bytes
// move, by transport. The limits are the same without dtrain: plain ZeroMQ, a futex, sockets, a
// ring.
#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "bench/limits_ping.h"
#include "bench/limits_ring.h"
#include "bench/limits_stream.h"
#include "bench/limits_zmq.h"
#include "bench/statistics.h"
#include "measure.h"
#include "transport_pair.h"

namespace dtrain::benchmarks {
namespace {

// Round trips whose median is one sample.
constexpr std::size_t kRoundTrips = 100;
constexpr std::size_t kSmallRoundTrips = 20;
// What an answer takes on the wire, about: the limit answers as much.
constexpr std::size_t kAnswerBytes = 64;
constexpr std::size_t kChunk = 1 << 20;

Sample latency_limit(Transport transport, std::size_t bytes, std::size_t count) {
  if (transport == Transport::kShm) {
    return [ping = std::make_shared<bench::PingLimit>(), count] {
      return bench::median(ping->sample(count, bench::Waiting::kSleep, bench::Cores::kOne));
    };
  }
  const auto kind =
      transport == Transport::kTcp ? bench::ZmqTransport::kTcp : bench::ZmqTransport::kIpc;
  return [ping = std::make_shared<bench::ZmqPingLimit>(kind), bytes, count] {
    return bench::median(ping->sample(count, bytes, kAnswerBytes));
  };
}

Comparison compare_latency(Transport transport, std::size_t bytes, std::size_t count) {
  const auto pair = std::make_shared<TransportPair>(transport, bytes);
  return {.result = [=] { return bench::median(pair->sample(count, bytes, bytes)); },
          .limit = latency_limit(transport, bytes, count)};
}

Sample throughput_limit(Transport transport, std::size_t bytes) {
  if (transport == Transport::kShm) {
    return [ring = std::make_shared<bench::RingLimit>(bytes, kChunk), bytes] {
      return ring->sample(bytes, kChunk);
    };
  }
  const auto kind =
      transport == Transport::kTcp ? bench::StreamKind::kTcp : bench::StreamKind::kUnix;
  return [stream = std::make_shared<bench::StreamLimit>(kind, bytes), bytes] {
    return stream->one_way(bytes, kChunk);
  };
}

Comparison compare_throughput(Transport transport, std::size_t bytes) {
  const auto pair = std::make_shared<TransportPair>(transport, bytes);
  return {.result = [=] { return pair->sample(1, bytes, kChunk).front(); },
          .limit = throughput_limit(transport, bytes),
          .bytes = static_cast<double>(bytes)};
}

}  // namespace

std::vector<bench::ChildRole> child_roles() { return {{"transport-sink", run_transport_sink}}; }

void register_benchmarks(const ProgramOptions& options) {
  const std::vector<std::size_t> messages = options.small
                                                ? std::vector<std::size_t>{64}
                                                : std::vector<std::size_t>{64, 4 << 10, 64 << 10};
  const std::vector<std::size_t> transfers =
      options.small ? std::vector<std::size_t>{1 << 20}
                    : std::vector<std::size_t>{1 << 20, 16 << 20, 64 << 20};
  const std::size_t count = options.small ? kSmallRoundTrips : kRoundTrips;
  constexpr Transport kAll[] = {Transport::kTcp, Transport::kIpc, Transport::kShm};
  for (const Transport transport : kAll) {
    for (const std::size_t bytes : messages) {
      const std::string name =
          base::str_cat("transport/latency/", transport_name(transport), "/", size_name(bytes));
      add_case(name, options, [=] { return compare_latency(transport, bytes, count); });
    }
  }
  for (const Transport transport : kAll) {
    for (const std::size_t bytes : transfers) {
      const std::string name =
          base::str_cat("transport/throughput/", transport_name(transport), "/", size_name(bytes));
      add_case(name, options, [=] { return compare_throughput(transport, bytes); });
    }
  }
}

}  // namespace dtrain::benchmarks
