#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "transport/endpoint.h"
#include "transport/gate.h"

namespace dtrain::instructions {

/// Two endpoints of one thread, a worker's and a server's. Messages take the checks and the
/// encoding that they take on every transport and arrive in the order in which they were sent;
/// payload is handed over as it lies, as shared memory does. Unlike the simulator it does nothing
/// else, so that what is counted is the product's. Time stands still.
class LoopPair {
 public:
  LoopPair();
  ~LoopPair();

  transport::Endpoint& worker();
  transport::Endpoint& server();
  /// Delivers until nothing is under way.
  void settle();

 private:
  class End;
  struct Delivery {
    End* to = nullptr;
    std::string first;
    std::vector<transport::Frame> payload;
  };

  std::deque<Delivery> under_way_;
  std::unique_ptr<End> worker_;
  std::unique_ptr<End> server_;
};

}  // namespace dtrain::instructions
