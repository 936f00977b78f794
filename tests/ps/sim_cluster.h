#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ps/client.h"
#include "ps/server.h"
#include "transport/sim_world.h"

namespace dtrain::inline v0::ps {

struct SimClusterOptions {
  std::uint64_t seed = 1;
  transport::SimFaults faults;
  int workers = 1;
  int servers = 1;
  Consistency consistency = Synchronous{};
  Optimizer optimizer = Sgd{.learning_rate = 1.0F};
  std::vector<Variable> variables = {{.name = "w", .shape = {1000}}};
  std::size_t chunk_elements = 128;
  UpdateRules rules = {};
  std::vector<RowTable> row_tables = {};
  ClientOptions client;
  ServerOptions server;
};

/// Workers and parameter servers, the real protocol on both sides, in a simulated world. Values
/// and gradients are whole arenas.
class SimCluster {
 public:
  struct Worker {
    std::unique_ptr<transport::Endpoint> endpoint;
    std::unique_ptr<Client> client;
    std::vector<float> values;
    std::vector<float> gradients;
  };
  struct Host {
    std::unique_ptr<transport::Endpoint> endpoint;
    std::unique_ptr<Server> server;
  };

  explicit SimCluster(SimClusterOptions options);
  ~SimCluster();

  std::size_t count() const { return table_.layout.count(); }
  const Table& table() const { return table_; }
  transport::SimWorld& world() { return world_; }
  Worker& worker(int rank) { return workers_[static_cast<std::size_t>(rank)]; }
  Host& host(int index) { return hosts_[static_cast<std::size_t>(index)]; }
  int workers() const { return static_cast<int>(workers_.size()); }

  /// Declares on all workers and assigns `values` from rank 0; returns when all is done.
  void start(const std::vector<float>& values);
  /// A worker's declaration alone.
  base::Completion<base::Done> declare(int rank);
  /// How a declaration by another client in the worker's process ends; the worker's own client
  /// hears nothing more. The error's text.
  std::string declare_by_another(int process, const Table& table, int rank, std::uint64_t number);
  PushTicket assign(const std::vector<float>& values);
  /// From the worker's `gradients`; with `fused`, values come back into its `values`.
  PushTicket push(int rank, std::uint64_t weight = 1, bool fused = false);
  base::Completion<std::uint64_t> pull(int rank);
  /// The values of `keys` into memory that must live until it is done.
  base::Completion<std::uint64_t> pull_rows(int rank, std::uint32_t table,
                                            const std::vector<std::uint64_t>& keys,
                                            std::vector<float>& values);

  /// Calls a client as its owner would, through the endpoint, so that its timers start.
  template <typename Call>
  auto on_io(int rank, const Call& call) {
    auto result = call(*worker(rank).client);
    worker(rank).endpoint->post([] {});
    return result;
  }

  /// Lets the world go on until it is done; fails the test after `limit` of simulated time.
  void wait(const PushTicket& ticket, base::Duration limit = std::chrono::minutes(10));
  template <typename T>
  void wait(const base::Completion<T>& done, base::Duration limit = std::chrono::minutes(10)) {
    wait_for([&] { return done.done(); }, limit);
  }
  void wait_for(const std::function<bool()>& done, base::Duration limit);

  /// The table as the servers hold it now.
  std::vector<float> server_values() const;
  /// A whole row table, all the same.
  std::vector<float> server_rows(std::uint32_t table) const;

 private:
  std::string server_address(int index) const;

  const SimClusterOptions options_;
  const Table table_;
  observe::Logger logger_;
  transport::SimWorld world_;
  std::vector<Host> hosts_;
  std::vector<Worker> workers_;
};

/// The error that a completion ended with, as text; empty when it has a value.
template <typename T>
std::string error_of(const base::Completion<T>& done) {
  if (!done.done()) return "not done";
  try {
    done.get();
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace dtrain::inline v0::ps
