#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace dtrain::inline v0::bench {

enum class ZmqTransport { kTcp, kIpc };

/// Round trips of plain ZeroMQ messages between two processes: a pair of sockets, blocking calls,
/// one I/O thread each. Confined to one thread.
class ZmqPingLimit {
 public:
  explicit ZmqPingLimit(ZmqTransport transport);
  ~ZmqPingLimit();
  ZmqPingLimit(const ZmqPingLimit&) = delete;
  ZmqPingLimit& operator=(const ZmqPingLimit&) = delete;

  /// Seconds of each of `count` round trips: `there` bytes, answered by `back` bytes. Throws
  /// unavailable or deadline_exceeded when the child is gone.
  std::vector<double> sample(std::size_t count, std::size_t there, std::size_t back);

 private:
  struct Wire;
  std::unique_ptr<Wire> wire_;
};

}  // namespace dtrain::inline v0::bench
