#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/exchange_memory.h"
#include "bench/exchange_options.h"
#include "bench/exchange_samples.h"
#include "dtrain/cluster.h"
#include "dtrain/parameter_client.h"

namespace dtrain::inline v0::bench {

/// A run of equal operations, which every worker makes.
struct Batch {
  Workload workload = Workload::kPush;
  std::uint32_t rounds = 1;
  /// Values are compared: before the batch the memory of values is spoilt, so that what a pull did
  /// not write is seen; after it every worker has the values that the pushes so far make.
  bool check = false;
};

/// What a batch took. Operations that were made before the first measured one are not in it.
struct BatchTimes {
  std::vector<Samples> workers;  ///< By rank.
};

/// What a worker tells at the end. Bytes are those of the whole job, both directions.
struct WorkerFacts {
  std::string host;
  std::uint64_t network_bytes = 0;
  std::uint64_t shared_bytes = 0;
  std::uint64_t staged_bytes = 0;  ///< Of shared_bytes: copied on the way out.
};

/// One worker's side of an exchange benchmark: declares, makes operations, measures and checks
/// them. The chief says what is done by run(), the other workers follow(). Learning rate 1 and the
/// numbers of exchange_data.h make every value known.
///
/// Everything throws Error: what the client throws, and data_loss for a value that is wrong.
/// Confined to one thread. `cluster` must outlive it.
class ExchangeSession {
 public:
  /// Collective: all workers construct it with the same options. Every later batch is of a workload
  /// of the same kind, variables or rows, as options.workload.
  ExchangeSession(Cluster& cluster, const ExchangeOptions& options);
  ExchangeSession(const ExchangeSession&) = delete;
  ExchangeSession& operator=(const ExchangeSession&) = delete;

  /// The chief's: every worker makes the batch. Throws failed_precondition when so many pushes
  /// would leave the numbers that fp32 holds exactly.
  BatchTimes run(const Batch& batch);
  /// The chief's: the others' follow() returns. Call once, at the end. By rank.
  std::vector<WorkerFacts> finish();
  /// The other workers': does what the chief says until it says finish().
  void follow();

  /// How many more pushes keep values exact.
  std::uint64_t pushes_left() const;
  const ExchangeOptions& options() const { return options_; }

 private:
  void declare_variables();
  void declare_rows();
  BatchTimes take_part(const Batch& batch);
  std::vector<WorkerFacts> gather_facts();
  void operate(Workload workload);
  void spoil_values();
  void check_values(Workload workload);
  void check_pulled(bool others_may_lag) const;
  void check_variables(bool others_may_lag) const;
  void check_rows() const;

  Cluster& cluster_;
  const ExchangeOptions options_;
  ParameterClient client_;
  PushOptions push_;
  std::uint64_t pushes_ = 0;  // of this worker, and of every other after the same batch

  std::vector<Variable> variables_;
  ExchangeMemory gradient_memory_;
  ExchangeMemory value_memory_;
  std::vector<NamedGradient> gradients_;
  std::vector<NamedValues> values_;

  std::vector<std::uint64_t> keys_;
  std::vector<float> shares_;  // by key: exchange_data.h's row_shares
  std::vector<RowGradients> row_gradients_;
  std::vector<RowValues> row_values_;
};

}  // namespace dtrain::inline v0::bench
