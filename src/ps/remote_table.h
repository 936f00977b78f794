#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "cluster/cluster_impl.h"
#include "ps/client.h"

namespace dtrain::inline v0::ps {

/// A Client with a real cluster under it: the same operations, callable from any thread, and
/// failing with the cluster's error when the job does. The cluster must outlive it.
class RemoteTable {
 public:
  /// Throws failed_precondition when the cluster has no servers or this process does not train.
  explicit RemoteTable(Cluster& cluster);
  ~RemoteTable();

  /// Declares; returns when every server has agreed. Fills in the table's task counts.
  void declare(Table table);
  const Table& table() const;
  /// As Client::steps().
  std::uint64_t steps() const { return client_ ? client_->steps() : 0; }

  /// Asynchronous gradients are clipped by norm here, on the caller's thread, which a request with
  /// a ready_end cannot be: only synchronous pushes have one. The memory in the
  /// request is borrowed until both of the ticket's completions are set.
  PushTicket push(PushRequest request);
  /// As Client::resume(), but does not wait for it.
  void resume();
  VersionCompletion pull(std::vector<Target> targets);
  /// See Client.
  PushTicket freeze(Freeze freeze);
  VersionCompletion pull_frozen(std::vector<Target> targets, int part);
  /// Tables may come in any order, each once; their values are borrowed until it is done.
  VersionCompletion pull_rows(std::vector<RowTarget> targets);
  VersionCompletion pull_frozen_rows(std::vector<RowTarget> targets, int part);
  /// Waits for both completions and returns the version or throws the error.
  static std::uint64_t wait(const PushTicket& ticket);

 private:
  /// Has the I/O thread begin an operation, and does not wait until it has.
  PushTicket start(std::function<void(Client&, const PushTicket&)> operation);

  Cluster::Impl& cluster_;
  std::shared_ptr<Client> client_;
  compute::UpdatePlan plan_;
};

}  // namespace dtrain::inline v0::ps
