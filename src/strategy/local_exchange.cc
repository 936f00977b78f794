#include <algorithm>
#include <array>

#include "compute/update_plan.h"
#include "strategy/arena_io.h"
#include "strategy/exchange.h"

namespace dtrain::inline v0::strategy {
namespace {

/// One process: the optimizer runs here.
class LocalExchange final : public Exchange {
 public:
  LocalExchange(model::Network& network, Arenas& arenas) : network_(network), arenas_(arenas) {}

  int rank() const override { return 0; }
  int workers() const override { return 1; }
  bool synchronous() const override { return true; }
  bool in_step() const override { return true; }
  bool even_steps() const override { return true; }

  void start(const Optimizer& optimizer, const UpdateRules& rules) override {
    plan_ = compute::UpdatePlan(network_.layout(), optimizer, rules);
    compiled_ = optimizer;
    steps_ = 0;
    slots_ = compute::slot_arenas(optimizer, arenas_.values.count());
  }

  bool started_elsewhere() const override { return false; }

  std::uint64_t step(std::uint64_t examples) override {
    if (examples == 0) return 1;
    compute::OptimizerUpdate update{.step = ++steps_,
                                    .values = arenas_.values.span(),
                                    .updated = arenas_.values.span(),
                                    .gradients = arenas_.gradients.span()};
    for (std::size_t i = 0; i < slots_.size(); ++i) update.slots[i] = slots_[i].span();
    const std::vector<double> factors = plan_.clip_factors(
        network_.layout(), 1.0, [&](std::size_t begin, std::size_t count, compute::SquareSum& sum) {
          network_.device().add_squares(update.gradients.subspan(begin, count), sum);
        });
    plan_.for_each_part(0, update, factors, [&](const auto& run) {
      network_.device().optimizer_step(plan_.optimizer(), run);
    });
    return 1;
  }

  void refresh() override {}
  void share_values() override {}
  const LearningRate& learning_rate() const override {
    return compute::learning_rate_of(plan_.optimizer());
  }
  void set_learning_rate(float rate) override { plan_.set_learning_rate(rate); }
  std::vector<std::string> all_gather(std::string_view, std::string_view bytes) override {
    return {std::string(bytes)};
  }
  void check() const override {}

  void save(checkpoint::Writer& writer) override {
    save_arenas(writer, network_.layout(), compiled_, static_cast<std::uint64_t>(steps_),
                [&](int part, std::size_t begin, std::size_t count) {
                  return std::span<const float>(part_of(part).subspan(begin, count));
                });
  }

  void restore(const checkpoint::Reader& reader) override {
    check_arenas(reader, network_.layout(), {}, compiled_, logger_);
    steps_ = static_cast<std::int64_t>(
        restore_arenas(reader, network_.layout(), compiled_,
                       [&](int part, std::size_t begin, std::span<const float> values) {
                         std::ranges::copy(values, part_of(part).subspan(begin).begin());
                       }));
  }

  const observe::Logger& logger() const override { return logger_; }

 private:
  /// The values, or a slot of the optimizer.
  std::span<float> part_of(int part) {
    return part == 0 ? arenas_.values.span() : slots_[static_cast<std::size_t>(part) - 1].span();
  }

  model::Network& network_;
  Arenas& arenas_;
  const observe::Logger logger_;
  compute::UpdatePlan plan_;
  Optimizer compiled_;  ///< With the rate that it began with: what checkpoints name.
  std::array<tensor::Arena, compute::kOptimizerSlotsMax> slots_;
  std::int64_t steps_ = 0;
};

}  // namespace

std::unique_ptr<Exchange> make_local_exchange(model::Network& network, Arenas& arenas) {
  return std::make_unique<LocalExchange>(network, arenas);
}

}  // namespace dtrain::inline v0::strategy
