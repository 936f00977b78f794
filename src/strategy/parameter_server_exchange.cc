#include <algorithm>
#include <utility>

#include "dtrain/error.h"
#include "ps/remote_table.h"
#include "strategy/exchange.h"

namespace dtrain::inline v0::strategy {
namespace {

/// Gradients go to the servers and values come back, the whole arenas in one request per server.
class ParameterServerExchange final : public Exchange {
 public:
  ParameterServerExchange(Cluster& cluster, const ParameterServerOptions& options,
                          model::Network& network, Arenas& arenas)
      : cluster_(cluster),
        consistency_(ps::checked(options.consistency, cluster.worker_count())),
        chunk_elements_(options.chunk_bytes / sizeof(float)),
        gradient_types_(gradient_types(options, network.layout())),
        network_(network),
        arenas_(arenas),
        table_(cluster),
        whole_{0, arenas.values.count()} {}

  int rank() const override { return cluster_.rank(); }
  int workers() const override { return cluster_.worker_count(); }
  bool synchronous() const override { return std::holds_alternative<Synchronous>(consistency_); }
  bool even_steps() const override { return !std::holds_alternative<Asynchronous>(consistency_); }

  /// One per variable of the network.
  static std::vector<GradientType> gradient_types(const ParameterServerOptions& options,
                                                  const tensor::Layout& layout) {
    std::vector<GradientType> types(layout.entries().size(), options.gradient_type);
    for (const auto& [name, type] : options.gradient_types) {
      types[static_cast<std::size_t>(&layout.at(name) - layout.entries().data())] = type;
    }
    return types;
  }

  void start(const Optimizer& optimizer) override {
    if (started_) {
      throw Error(ErrorCode::kFailedPrecondition,
                  "compile() was called twice under a parameter server",
                  "The servers have their optimizer: build another model for another one");
    }
    started_ = true;
    table_.declare({.layout = network_.layout(),
                    .gradient_types = gradient_types_,
                    .optimizer = optimizer,
                    .consistency = consistency_,
                    .chunk_elements = chunk_elements_});
    if (rank() == 0) {
      ps::RemoteTable::wait(
          table_.push({.sources = {{whole_, arenas_.values.span().data()}}, .assign = true}));
    }
    refresh();
  }

  bool started_elsewhere() const override { return started_; }

  std::uint64_t step(std::uint64_t examples) override {
    ps::RemoteTable::wait(table_.push({.sources = {{whole_, arenas_.gradients.span().data()}},
                                       .weight = examples,
                                       .targets = {{whole_, arenas_.values.span().data()}}}));
    const std::uint64_t before = std::exchange(steps_, std::max(steps_ + 1, table_.steps()));
    return steps_ - before;
  }

  void refresh() override { table_.pull({{whole_, arenas_.values.span().data()}}).get(); }

  std::vector<std::string> all_gather(std::string_view name, std::string_view bytes) override {
    return cluster_.all_gather(name, bytes);
  }

  void check() const override { cluster_.check(); }

 private:
  Cluster& cluster_;
  const Consistency consistency_;
  const std::size_t chunk_elements_;
  const std::vector<GradientType> gradient_types_;
  model::Network& network_;
  Arenas& arenas_;
  ps::RemoteTable table_;
  const ps::Range whole_;
  bool started_ = false;
  std::uint64_t steps_ = 0;  ///< Of the job that have passed.
};

}  // namespace

std::unique_ptr<Exchange> make_parameter_server_exchange(Cluster& cluster,
                                                         const ParameterServerOptions& options,
                                                         model::Network& network, Arenas& arenas) {
  return std::make_unique<ParameterServerExchange>(cluster, options, network, arenas);
}

}  // namespace dtrain::inline v0::strategy
