#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dtrain/cluster_spec.h"
#include "dtrain/error.h"
#include "dtrain/export.h"
#include "dtrain/log.h"

namespace dtrain::inline v0 {

/// Deadlines and habits of a cluster. Stable within a minor version.
struct ClusterOptions {
  /// How long a member waits for all others to appear: pods start in any order.
  std::chrono::milliseconds join_timeout = std::chrono::seconds(300);
  std::chrono::milliseconds heartbeat_interval = std::chrono::seconds(1);
  /// A member that has been silent for so long is lost.
  std::chrono::milliseconds peer_timeout = std::chrono::seconds(10);
  /// A member whose connection broke and that has not come back for so long is lost.
  std::chrono::milliseconds reconnect_timeout = std::chrono::seconds(3);
  /// The longest that a barrier, a pull or a synchronous step waits for members that are alive.
  std::chrono::milliseconds operation_timeout = std::chrono::seconds(600);
  /// How members talk. "auto": through shared memory where two are on one host, as one user and
  /// in one network namespace, and over TCP elsewhere; who cannot share memory says so once.
  /// "tcp": TCP only. "shm": an error where memory cannot be shared. "ipc": Unix sockets, when all
  /// members are on this host. Empty: the environment variable DTRAIN_TRANSPORT, or auto.
  std::string transport;
  LogSink log;  ///< Empty: standard error.
};

/// What this process has moved in the cluster, in bytes: gradients, values and other payload,
/// without headers and control messages.
struct Traffic {
  std::uint64_t network_bytes_sent = 0;
  std::uint64_t network_bytes_received = 0;
  std::uint64_t shared_bytes_sent = 0;  ///< Through shared memory.
  std::uint64_t shared_bytes_received = 0;
  /// Of shared_bytes_sent: copied on the way, because it was short (below 1 KiB) or lay in memory
  /// that is not shared. What Model and ParameterClient::allocate() hold is.
  std::uint64_t staged_bytes = 0;
};

/// A member of the cluster as this process knows it.
struct MemberStatus {
  enum class State { kJoining, kAlive, kLost, kLeft };
  Task task;
  State state = State::kJoining;
  std::string detail;  ///< Why it was lost.
};

/// This process's membership in a cluster, from the rendezvous to the clean end.
///
/// The chief is the authority: members join at it, send it heartbeats, and learn from its pulses
/// who is alive; each change raises the membership epoch. Losing the chief, a ps, or (unless the
/// strategy goes on without it) a worker ends the job: every blocking call, in every member, then
/// throws an error that names the lost member.
///
/// Thread-safe. Movable; two clusters can live in one process.
class DTRAIN_EXPORT Cluster {
 public:
  /// Joins and waits until everybody has: throws deadline_exceeded that names who is missing and
  /// why, or what a mistake in the spec deserves. A local spec joins nobody.
  explicit Cluster(ClusterSpec spec, ClusterOptions options = {});
  /// Leaves: as close(), but without waiting for others, and an error is only logged.
  ~Cluster();
  Cluster(Cluster&&) noexcept;
  Cluster& operator=(Cluster&&) noexcept;

  const ClusterSpec& spec() const;
  const ClusterOptions& options() const;
  Task task() const { return spec().self(); }
  bool is_chief() const { return spec().is_chief(); }
  /// Place among the workers, the chief first; -1 for a ps or evaluator.
  int rank() const { return spec().rank().value_or(-1); }
  int worker_count() const { return static_cast<int>(spec().workers().size()); }

  std::vector<MemberStatus> members() const;
  /// Throws the job's error if it has failed. Cheap: for loops of your own that call nothing else
  /// of dtrain for long.
  void check() const;
  std::uint64_t membership_epoch() const;
  /// Since the beginning; zeros for a local cluster. Logged when this process leaves.
  Traffic traffic() const;

  /// Waits until every living worker has called it with the same name. Workers only.
  void barrier(std::string_view name);
  /// Hands `bytes` to all living workers and returns what each gave, by rank; empty for the lost.
  /// At most 960 KiB divided by the number of workers, the name included. A barrier too.
  std::vector<std::string> all_gather(std::string_view name, std::string_view bytes);

  /// The clean end. The chief waits for the workers to leave, then tells the servers that the job
  /// is done. Idempotent; throws if the job has failed.
  void close();
  /// Ends the job everywhere, with the error that this process failed with. Idempotent.
  void abort(const Error& error);

  class Impl;
  explicit Cluster(std::unique_ptr<Impl> impl);
  Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace dtrain::inline v0
