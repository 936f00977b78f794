#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "bench/child.h"

namespace dtrain::benchmarks {

/// How two endpoints reach each other.
enum class Transport { kTcp, kIpc, kShm };
std::string transport_name(Transport transport);

/// Two transport endpoints, one of them in a process of its own. That one reads every byte that it
/// is sent, adds them up and answers the sum when it has a transfer whole. Confined to one thread.
class TransportPair {
 public:
  /// For transfers of up to `bytes_max` bytes, a multiple of 8; they lie in memory that the
  /// endpoint shares where it can.
  TransportPair(Transport transport, std::size_t bytes_max);
  ~TransportPair();
  TransportPair(const TransportPair&) = delete;
  TransportPair& operator=(const TransportPair&) = delete;

  /// Seconds of each of `count` transfers, one after the other, from the first send to the answer
  /// on the I/O thread: `bytes` in messages of one frame of `chunk` bytes, lent where they lie.
  /// Throws data_loss for a wrong sum, and when the other process is gone.
  std::vector<double> sample(std::size_t count, std::size_t bytes, std::size_t chunk);

 private:
  class Sender;
  std::unique_ptr<Sender> sender_;
  std::unique_ptr<bench::Child> child_;
};

/// The other process.
void run_transport_sink(bench::ChildSide& side);

}  // namespace dtrain::benchmarks
