#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "bench/child.h"

namespace dtrain::inline v0::bench {

enum class StreamKind {
  kTcp,   ///< A TCP connection on 127.0.0.1.
  kUnix,  ///< A pair of Unix-domain sockets.
};

/// Bytes from one process's memory to another's through sockets: blocking calls and nothing else.
/// The connection stays, so that its windows are open. Confined to one thread.
class StreamLimit {
 public:
  StreamLimit(StreamKind kind, std::size_t bytes_max);
  ~StreamLimit();
  StreamLimit(const StreamLimit&) = delete;
  StreamLimit& operator=(const StreamLimit&) = delete;

  /// Seconds until the other process has read `bytes`, written in pieces of `chunk`, and said so.
  /// Throws unavailable or deadline_exceeded when the child is gone.
  double one_way(std::size_t bytes, std::size_t chunk);
  /// The same while as many bytes come back: each process writes and reads, in two threads.
  double full_duplex(std::size_t bytes, std::size_t chunk);

 private:
  struct Connection;
  double sample(bool both, std::size_t bytes, std::size_t chunk);

  std::vector<char> source_;
  std::vector<char> target_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Child> child_;
};

}  // namespace dtrain::inline v0::bench
