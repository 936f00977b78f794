#include <algorithm>
#include <vector>

#include "base/strings.h"
#include "dtrain/error.h"
#include "ps/remote_table.h"
#include "strategy/arena_io.h"
#include "strategy/exchange.h"

namespace dtrain::inline v0::strategy {
namespace {

/// Gradients go to the servers and values come back, the whole arenas in one request per server.
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
    optimizer_ = optimizer;
    table_.declare({.layout = network_.layout(),
                    .optimizer = optimizer,
                    .consistency = options_.consistency,
                    .chunk_elements = options_.chunk_bytes / sizeof(float)});
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
                                       .targets = {{whole_, arenas_.values.span().data()}}}));
  }

  void refresh() override { table_.pull({{whole_, arenas_.values.span().data()}}).get(); }

  std::vector<std::string> all_gather(std::string_view name, std::string_view bytes) override {
    return cluster_.all_gather(name, bytes);
  }

  /// Servers keep a copy of one version each while it is read, so that asynchronous workers can go
  /// on. Later each server may write its own part; then only the end is the chief's.
  void save(checkpoint::Writer& writer) override {
    const std::uint64_t version = ps::RemoteTable::wait(table_.freeze(ps::Freeze::kFreeze));
    try {
      FrozenState state(table_, whole_);
      save_arenas(writer, network_.layout(), optimizer_, step_of_version_0_ + version,
                  [&](int part, std::size_t begin, std::size_t count) {
                    return state.read(part, begin, count);
                  });
    } catch (const Error&) {
      // The servers drop their copies; that this fails as well is not what matters now.
      try {
        ps::RemoteTable::wait(table_.freeze(ps::Freeze::kThaw));
      } catch (const Error&) {
      }
      throw;
    }
    ps::RemoteTable::wait(table_.freeze(ps::Freeze::kThaw));
  }

  void restore(const checkpoint::Reader& reader) override {
    check_arenas(reader, network_.layout(), optimizer_, logger());
    const std::uint64_t step = restore_arenas(
        reader, network_.layout(), optimizer_,
        [&](int part, std::size_t begin, std::span<const float> values) {
          ps::RemoteTable::wait(table_.push({.sources = {{{begin, values.size()}, values.data()}},
                                             .assign = true,
                                             .slot = part}));
        });
    const std::uint64_t version =
        ps::RemoteTable::wait(table_.push({.assign = true, .step = step}));
    step_of_version_0_ = step - version;
  }

  const observe::Logger& logger() const override { return cluster_.impl().logger(); }

  void check() const override {
    const cluster::View view = cluster_.impl().view();
    if (view.failure) throw *view.failure;
  }

 private:
  /// What the servers keep, read in pieces that are larger than most variables.
  class FrozenState {
   public:
    FrozenState(ps::RemoteTable& table, ps::Range whole) : table_(table), whole_(whole) {}

    std::span<const float> read(int part, std::size_t begin, std::size_t count) {
      if (part != part_ || begin < held_.begin || begin + count > held_.end()) {
        held_ = {begin, std::min(kPieceElements, whole_.end() - begin)};
        part_ = part;
        buffer_.resize(held_.count);
        table_.pull_frozen({{held_, buffer_.data()}}, part).get();
      }
      return std::span(buffer_).subspan(begin - held_.begin, count);
    }

   private:
    ps::RemoteTable& table_;
    const ps::Range whole_;
    int part_ = -1;
    ps::Range held_;
    std::vector<float> buffer_;
  };

  Cluster& cluster_;
  const ParameterServerOptions options_;
  model::Network& network_;
  Arenas& arenas_;
  ps::RemoteTable table_;
  const ps::Range whole_;
  bool started_ = false;
  Optimizer optimizer_;
  /// The optimizer's step where servers count version 0 (modulo 2^64: it may lie before step 0).
  std::uint64_t step_of_version_0_ = 0;
};

}  // namespace

std::unique_ptr<Exchange> make_parameter_server_exchange(Cluster& cluster,
                                                         const ParameterServerOptions& options,
                                                         model::Network& network, Arenas& arenas) {
  return std::make_unique<ParameterServerExchange>(cluster, options, network, arenas);
}

}  // namespace dtrain::inline v0::strategy
