#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/child.h"
#include "bench/exchange_options.h"
#include "bench/exchange_session.h"
#include "cluster/ports.h"
#include "dtrain/cluster.h"

namespace dtrain::inline v0::bench {

/// A cluster on this machine that exchanges.
struct ExchangeJobOptions {
  ExchangeOptions exchange;
  int workers = 1;
  int servers = 1;
  std::string transport = "shm";  ///< As ClusterOptions::transport.
};

/// What the job's other processes do; for run_child_role().
ChildRole exchange_role();

/// A job of real processes whose chief is the caller: the other workers and the servers are
/// children that run exchange_role(). It lasts until the object ends, so that many batches share
/// its start. Confined to one thread.
class ExchangeJob {
 public:
  /// Starts it: returns when everybody has joined and the variables are declared. Throws Error when
  /// that fails; what other processes have to say is on standard error.
  explicit ExchangeJob(const ExchangeJobOptions& options);
  /// close(), with errors on standard error. Kills what does not end.
  ~ExchangeJob();
  ExchangeJob(const ExchangeJob&) = delete;
  ExchangeJob& operator=(const ExchangeJob&) = delete;

  /// Every worker makes the batch. Throws what ExchangeSession throws, and has then ended the job.
  BatchTimes run(const Batch& batch);
  /// The chief's.
  Traffic traffic() const { return cluster_->traffic(); }
  const ExchangeJobOptions& options() const { return options_; }

  /// The clean end. Throws when a process did not end well. Idempotent.
  void close();

 private:
  void start_children();

  const ExchangeJobOptions options_;
  std::vector<cluster::PortReservation> ports_;
  ClusterSpec spec_;
  std::vector<std::unique_ptr<Child>> children_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<ExchangeSession> session_;
};

}  // namespace dtrain::inline v0::bench
