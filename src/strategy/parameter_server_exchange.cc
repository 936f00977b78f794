#include <algorithm>
#include <atomic>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "base/completion.h"
#include "base/strings.h"
#include "compute/optimizer.h"
#include "dtrain/error.h"
#include "ps/remote_table.h"
#include "strategy/arena_io.h"
#include "strategy/exchange.h"

namespace dtrain::inline v0::strategy {
namespace {

/// What the servers keep for a checkpoint, read front to back in pieces that are larger than most
/// variables; while one is used the next is on its way.
class FrozenState {
 public:
  FrozenState(ps::RemoteTable& table, std::size_t count, int slots)
      : table_(table), count_(count), slots_(slots) {}
  ~FrozenState() {
    if (next_.arrived) next_.arrived->wait_until(base::kForever);  // it writes to our memory
  }
  FrozenState(const FrozenState&) = delete;
  FrozenState& operator=(const FrozenState&) = delete;

  /// As ReadPart.
  std::span<const float> read(int part, std::size_t begin, std::size_t count) {
    if (part != current_.part || begin < current_.range.begin || begin >= current_.range.end()) {
      turn_to(part, begin);
    }
    const std::size_t at = begin - current_.range.begin;
    return std::span(current_.values).subspan(at, std::min(count, current_.range.count - at));
  }

 private:
  struct Piece {
    int part = -1;
    ps::Range range;
    std::vector<float> values;
    std::optional<base::Completion<std::uint64_t>> arrived;
  };

  void ask(int part, std::size_t begin) {
    if (next_.arrived) next_.arrived->wait_until(base::kForever);
    next_.part = part;
    next_.range = {begin, std::min(kPieceElements, count_ - begin)};
    next_.values.resize(next_.range.count);
    next_.arrived = table_.pull_frozen({{next_.range, next_.values.data()}}, part);
  }

  void turn_to(int part, std::size_t begin) {
    if (part != next_.part || begin != next_.range.begin) ask(part, begin);
    next_.arrived->get();
    std::swap(current_, next_);
    next_.arrived.reset();
    if (current_.range.end() < count_) {
      ask(part, current_.range.end());
    } else if (part < slots_) {
      ask(part + 1, 0);
    }
  }

  ps::RemoteTable& table_;
  const std::size_t count_;
  const int slots_;
  Piece current_;
  Piece next_;
};

/// Gradients go to the servers and values come back, the whole arenas in one request per server.
/// Rows of embeddings are asked for by batch, and their gradients go along.
class ParameterServerExchange final : public Exchange {
 public:
  ParameterServerExchange(Cluster& cluster, const ParameterServerOptions& options,
                          model::Network& network, Arenas& arenas)
      : cluster_(cluster),
        consistency_(ps::checked(options.consistency, cluster.worker_count())),
        chunk_elements_(options.chunk_bytes / sizeof(float)),
        gradient_types_(gradient_types(options, network)),
        row_updates_(options.row_updates),
        network_(network),
        arenas_(arenas),
        table_(cluster),
        whole_{0, arenas.values.count()} {
    cluster.impl().endpoint()->share(arenas.values.memory());
    cluster.impl().endpoint()->share(arenas.gradients.memory());
  }

  int rank() const override { return cluster_.rank(); }
  int workers() const override { return cluster_.worker_count(); }
  bool synchronous() const override { return std::holds_alternative<Synchronous>(consistency_); }
  bool in_step() const override {
    // With backup workers a late one goes on where the others are.
    const auto* synchronous = std::get_if<Synchronous>(&consistency_);
    return synchronous && synchronous->backup_workers == 0;
  }
  bool even_steps() const override { return !std::holds_alternative<Asynchronous>(consistency_); }

  /// One per variable of the network.
  static std::vector<GradientType> gradient_types(const ParameterServerOptions& options,
                                                  const model::Network& network) {
    const tensor::Layout& layout = network.layout();
    std::vector<GradientType> types(layout.entries().size(), options.gradient_type);
    const auto set = [&](const std::string& name, GradientType type) {
      types[static_cast<std::size_t>(&layout.at(name) - layout.entries().data())] = type;
    };
    // What is subtracted from a running average is no gradient: it keeps its bits.
    for (const std::string& name : network.statistics()) set(name, GradientType::kFloat32);
    for (const auto& [name, type] : options.gradient_types) set(name, type);
    return types;
  }

  void start(const Optimizer& optimizer, const UpdateRules& rules) override {
    if (started_) {
      throw Error(ErrorCode::kFailedPrecondition,
                  "compile() was called twice under a parameter server",
                  "The servers have their optimizer: build another model for another one");
    }
    ps::Table table{.layout = network_.layout(),
                    .gradient_types = gradient_types_,
                    .optimizer = optimizer,
                    .consistency = consistency_,
                    .chunk_elements = chunk_elements_,
                    .rules = rules};
    for (RowTable rows : network_.row_tables()) {
      rows.updates = row_updates_;
      table.row_tables.push_back(std::move(rows));
    }
    ps::check_rules(table);
    const compute::UpdatePlan plan(network_.layout(), optimizer, rules);
    started_ = true;
    optimizer_ = optimizer;
    rate_ = compute::learning_rate_of(optimizer);
    table_.declare(std::move(table));
    trained_ = ps::trained_ranges(plan);
    network_.set_fetch_rows([this](std::span<const model::RowRequest> requests) {
      std::vector<ps::RowTarget> targets;
      for (const auto& [index, keys, values] : requests) {
        targets.push_back({static_cast<std::uint32_t>(index),
                           std::make_shared<ps::RowIndex>(ps::index_rows(keys)), values.data()});
      }
      table_.pull_rows(std::move(targets)).get();
    });
    if (begins_early()) {
      network_.set_gradients_ready(
          [this](std::size_t /*begin*/, std::size_t end) { gradients_ready(end); });
    }
    if (rank() == 0) {
      ps::RemoteTable::wait(
          table_.push({.sources = {{whole_, arenas_.values.span().data()}}, .assign = true}));
    }
    refresh();
  }

  bool started_elsewhere() const override { return started_; }

  void expect(std::uint64_t examples) override { expected_ = examples; }

  std::uint64_t step(std::uint64_t examples) override {
    if (!early_.ticket) {
      ps::RemoteTable::wait(table_.push(push_request(examples)));
    } else {
      ps::RemoteTable::wait(*early_.ticket);
      early_.ticket.reset();
    }
    const std::uint64_t before = std::exchange(steps_, std::max(steps_ + 1, table_.steps()));
    return steps_ - before;
  }

  void refresh() override { table_.pull({{whole_, arenas_.values.span().data()}}).get(); }

  void share_values() override {
    if (rank() == 0) {
      ps::RemoteTable::wait(
          table_.push({.sources = {{whole_, arenas_.values.span().data()}}, .assign = true}));
    }
    all_gather("fit/values", {});  // nobody pulls before they are there
    refresh();
  }

  const LearningRate& learning_rate() const override { return rate_; }

  void set_learning_rate(float rate) override {
    rate_ = rate;
    if (rank() == 0) ps::RemoteTable::wait(table_.push({.assign = true, .learning_rate = rate}));
    all_gather("fit/learning_rate", {});  // nobody pushes before all servers have it
  }

  std::vector<std::string> all_gather(std::string_view name, std::string_view bytes) override {
    return cluster_.all_gather(name, bytes);
  }

  /// Servers keep a copy of one version each while it is read, so that asynchronous workers can go
  /// on. Later each server may write its own part; then only the end is the chief's.
  void save(checkpoint::Writer& writer) override {
    const std::uint64_t version = ps::RemoteTable::wait(table_.freeze(ps::Freeze::kFreeze));
    try {
      FrozenState state(table_, whole_.count, compute::slot_count(optimizer_));
      save_arenas(writer, network_.layout(), optimizer_, step_of_version_0_ + version,
                  [&](int part, std::size_t begin, std::size_t count) {
                    return state.read(part, begin, count);
                  });
      const std::vector<RowTable>& tables = network_.row_tables();
      for (std::size_t i = 0; i < tables.size(); ++i) {
        save_rows(writer, tables[i], optimizer_,
                  [&](int part, std::uint64_t first, std::span<float> values) {
                    table_
                        .pull_frozen_rows({{static_cast<std::uint32_t>(i),
                                            consecutive(i, first, values.size()), values.data()}},
                                          part)
                        .get();
                  });
      }
    } catch (...) {
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
    const std::vector<RowTable>& tables = network_.row_tables();
    check_arenas(reader, network_.layout(), tables, optimizer_, logger());
    for (std::size_t i = 0; i < tables.size(); ++i) {
      restore_rows(reader, tables[i], optimizer_,
                   [&](int part, std::uint64_t first, std::span<const float> values) {
                     const auto keys = consecutive(i, first, values.size());
                     ps::RemoteTable::wait(table_.push(
                         {.assign = true,
                          .slot = part,
                          .rows = {std::make_shared<ps::RowBatch>(
                              i, std::span<const std::uint64_t>(keys->keys), values)}}));
                   });
    }
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

  void check() const override { cluster_.check(); }

 private:
  /// Whether a push begins while gradients are still being computed, and values come back where
  /// they are not needed any more. Not in asynchronous modes: there pushes take turns, and a slow
  /// one holds the others up. Nor with rows, whose gradients are the last.
  bool begins_early() const { return in_step() && network_.row_tables().empty(); }

  /// On the thread that computes them.
  void gradients_ready(std::size_t end) {
    const bool all = end == whole_.count;
    if (early_.ticket) {
      early_.ready_end->store(all ? std::numeric_limits<std::size_t>::max() : end,
                              std::memory_order_release);
      if (all) table_.resume();
    } else if (!all && end >= chunk_elements_) {  // before, there is nothing to send
      early_.ready_end->store(end, std::memory_order_relaxed);
      ps::PushRequest request = push_request(expected_);
      request.ready_end = early_.ready_end;
      early_.ticket = table_.push(std::move(request));
    }
  }

  ps::PushRequest push_request(std::uint64_t examples) {
    ps::PushRequest request{.weight = examples, .rows = row_batches(examples)};
    for (const ps::Range range : trained_) {
      request.sources.push_back({range, arenas_.gradients.span().data() + range.begin});
      request.targets.push_back({range, arenas_.values.span().data() + range.begin});
    }
    return request;
  }

  /// A push whose sources are still being written. Outlives the table, which lets go of memory.
  struct EarlyPush {
    ~EarlyPush() {
      if (ticket) ticket->released.wait_until(base::kForever);
    }
    std::optional<ps::PushTicket> ticket;
    const std::shared_ptr<std::atomic<std::size_t>> ready_end =
        std::make_shared<std::atomic<std::size_t>>();
  };

  /// The rows of a table, from `first` on, that so many elements are.
  std::shared_ptr<const ps::RowIndex> consecutive(std::size_t table, std::uint64_t first,
                                                  std::size_t elements) const {
    std::vector<std::uint64_t> keys(elements /
                                    static_cast<std::size_t>(network_.row_tables()[table].width));
    std::iota(keys.begin(), keys.end(), first);
    return std::make_shared<ps::RowIndex>(ps::index_rows(keys));
  }

  /// The gradients of the rows that the last batch read, lent.
  std::vector<std::shared_ptr<const ps::RowBatch>> row_batches(std::uint64_t examples) {
    std::vector<std::shared_ptr<const ps::RowBatch>> batches;
    for (std::size_t i = 0; i < network_.row_tables().size(); ++i) {
      std::span<const std::uint64_t> keys;
      std::span<const float> gradients;
      if (examples > 0) {
        keys = network_.row_keys(i);
        gradients = network_.row_gradients(i);
      }
      batches.push_back(std::make_shared<ps::RowBatch>(i, keys, gradients));
    }
    return batches;
  }

  Cluster& cluster_;
  const Consistency consistency_;
  const std::size_t chunk_elements_;
  const std::vector<GradientType> gradient_types_;
  const RowUpdates row_updates_;
  model::Network& network_;
  Arenas& arenas_;
  EarlyPush early_;
  ps::RemoteTable table_;
  const ps::Range whole_;
  std::vector<ps::Range> trained_;  ///< All but frozen variables.
  bool started_ = false;
  std::uint64_t expected_ = 0;  ///< Examples of the step that is being computed.
  std::uint64_t steps_ = 0;     ///< Of the job that have passed.
  Optimizer optimizer_;         ///< As compiled.
  LearningRate rate_ = 0.0F;    ///< What servers take now.
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
