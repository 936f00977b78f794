#include <array>

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
  bool even_steps() const override { return true; }

  void start(const Optimizer& optimizer) override {
    optimizer_ = optimizer;
    steps_ = 0;
    for (int i = 0; i < compute::slot_count(optimizer); ++i) {
      slots_[static_cast<std::size_t>(i)] = tensor::Arena(arenas_.values.count());
    }
  }

  bool started_elsewhere() const override { return false; }

  std::uint64_t step(std::uint64_t examples) override {
    if (examples == 0) return 1;
    compute::OptimizerUpdate update{.step = ++steps_,
                                    .values = arenas_.values.span(),
                                    .updated = arenas_.values.span(),
                                    .gradients = arenas_.gradients.span()};
    for (int i = 0; i < compute::slot_count(optimizer_); ++i) {
      update.slots[static_cast<std::size_t>(i)] = slots_[static_cast<std::size_t>(i)].span();
    }
    network_.device().optimizer_step(optimizer_, update);
    return 1;
  }

  void refresh() override {}
  std::vector<std::string> all_gather(std::string_view, std::string_view bytes) override {
    return {std::string(bytes)};
  }
  void check() const override {}

 private:
  model::Network& network_;
  Arenas& arenas_;
  Optimizer optimizer_;
  std::array<tensor::Arena, compute::kOptimizerSlotsMax> slots_;
  std::int64_t steps_ = 0;
};

}  // namespace

std::unique_ptr<Exchange> make_local_exchange(model::Network& network, Arenas& arenas) {
  return std::make_unique<LocalExchange>(network, arenas);
}

}  // namespace dtrain::inline v0::strategy
