#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"
#include "ps/remote_table.h"
#include "strategy/exchange.h"

namespace dtrain::inline v0::strategy {
namespace {

/// Gradients go to the servers and values come back, the whole arenas in one request per server.
/// Rows of embeddings are asked for by batch, and their gradients go along.
class ParameterServerExchange final : public Exchange {
 public:
  ParameterServerExchange(Cluster& cluster, const ParameterServerOptions& options,
                          model::Network& network, Arenas& arenas)
      : cluster_(cluster),
        options_(options),
        network_(network),
        arenas_(arenas),
        table_(cluster),
        whole_{0, arenas.values.count()} {}

  int rank() const override { return cluster_.rank(); }
  int workers() const override { return cluster_.worker_count(); }
  bool synchronous() const override {
    return std::holds_alternative<Synchronous>(options_.consistency);
  }

  void start(const Optimizer& optimizer) override {
    if (started_) {
      throw Error(ErrorCode::kFailedPrecondition,
                  "compile() was called twice under a parameter server",
                  "The servers have their optimizer: build another model for another one");
    }
    started_ = true;
    ps::Table table{.layout = network_.layout(),
                    .optimizer = optimizer,
                    .consistency = options_.consistency,
                    .chunk_elements = options_.chunk_bytes / sizeof(float)};
    if (network_.row_table()) {
      table.row_tables.push_back(*network_.row_table());
      table.row_tables.back().updates = options_.row_updates;
    }
    table_.declare(std::move(table));
    network_.set_fetch_rows([this](std::span<const std::uint64_t> keys, std::span<float> values) {
      table_.pull_rows({{0, std::make_shared<ps::RowIndex>(ps::index_rows(keys)), values.data()}})
          .get();
    });
    if (rank() == 0) {
      ps::RemoteTable::wait(
          table_.push({.sources = {{whole_, arenas_.values.span().data()}}, .assign = true}));
    }
    refresh();
  }

  bool started_elsewhere() const override { return started_; }

  void step(std::uint64_t examples) override {
    ps::RemoteTable::wait(table_.push({.sources = {{whole_, arenas_.gradients.span().data()}},
                                       .weight = examples,
                                       .targets = {{whole_, arenas_.values.span().data()}},
                                       .rows = row_batches(examples)}));
  }

  void refresh() override { table_.pull({{whole_, arenas_.values.span().data()}}).get(); }

  std::vector<std::string> all_gather(std::string_view name, std::string_view bytes) override {
    return cluster_.all_gather(name, bytes);
  }

  void check() const override {
    const cluster::View view = cluster_.impl().view();
    if (view.failure) throw *view.failure;
  }

 private:
  /// The gradients of the rows that the last batch read.
  std::vector<std::shared_ptr<const ps::RowBatch>> row_batches(std::uint64_t examples) {
    if (!network_.row_table()) return {};
    auto batch = std::make_shared<ps::RowBatch>();
    if (examples > 0) {
      const auto keys = network_.row_keys();
      const auto gradients = network_.row_gradients();
      batch->keys.assign(keys.begin(), keys.end());
      batch->gradients.assign(gradients.begin(), gradients.end());
    }
    return {std::move(batch)};
  }

  Cluster& cluster_;
  const ParameterServerOptions options_;
  model::Network& network_;
  Arenas& arenas_;
  ps::RemoteTable table_;
  const ps::Range whole_;
  bool started_ = false;
};

}  // namespace

std::unique_ptr<Exchange> make_parameter_server_exchange(Cluster& cluster,
                                                         const ParameterServerOptions& options,
                                                         model::Network& network, Arenas& arenas) {
  return std::make_unique<ParameterServerExchange>(cluster, options, network, arenas);
}

}  // namespace dtrain::inline v0::strategy
