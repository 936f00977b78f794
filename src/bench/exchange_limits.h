#pragma once

#include <memory>
#include <vector>

#include "bench/exchange_options.h"
#include "bench/exchange_run.h"

namespace dtrain::inline v0::bench {

/// Which links a job uses, as far as its chief sees.
struct LinksUsed {
  bool network = false;
  bool shared_memory = false;
};

/// The limits of this machine that go with a workload: in-place addition for pushes, memcpy for
/// what pulls; over the network a TCP stream on the loopback interface, both ways for a push-pull;
/// for small sizes a round trip through shared memory and of ZeroMQ; gathering and adding the same
/// rows. Keeps what they need (twice the payload each, a table of as many rows) and their child
/// processes. Confined to one thread; main() must have called run_child_role().
class ExchangeLimits {
 public:
  ExchangeLimits(const ExchangeOptions& options, const LinksUsed& links);
  ~ExchangeLimits();
  ExchangeLimits(ExchangeLimits&&) noexcept;

  /// They use this object.
  const std::vector<LimitProbe>& probes() const { return probes_; }

 private:
  struct Tools;
  void add_variables(const ExchangeOptions& options, const LinksUsed& links);
  void add_rows(const ExchangeOptions& options);
  void add_round_trips(const LinksUsed& links, std::size_t there, std::size_t back);
  /// `sample` gives the seconds of one operation.
  void add(std::string name, std::uint64_t bytes, std::function<double()> sample);

  std::unique_ptr<Tools> tools_;
  std::vector<LimitProbe> probes_;
};

}  // namespace dtrain::inline v0::bench
