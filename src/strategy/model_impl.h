#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "compute/device.h"
#include "data/batcher.h"
#include "data/match.h"
#include "dtrain/model.h"
#include "model/network.h"
#include "strategy/exchange.h"

namespace dtrain::inline v0 {

/// A model's parts, in the order in which they depend on each other.
class Model::Impl {
 public:
  /// `shared_memory`: see Arenas.
  Impl(const Functional& description, std::uint64_t seed, std::unique_ptr<compute::Device> device,
       model::NetworkOptions options, bool shared_memory)
      : seed_(seed),
        device_(std::move(device)),
        network_(description, seed, *device_, options),
        arenas_(network_.layout().count(), shared_memory) {
    network_.initial_values(arenas_.values.span());
    network_.bind(arenas_.values.span(), arenas_.gradients.span());
  }

  void set_exchange(std::unique_ptr<strategy::Exchange> exchange) {
    exchange_ = std::move(exchange);
  }

  const Functional& description() const { return network_.description(); }
  std::uint64_t seed() const { return seed_; }
  /// By which a data set's features and targets are chosen.
  data::ModelNames names() const {
    return {.inputs = network_.graph().input_names, .outputs = network_.graph().output_names};
  }
  model::Network& network() { return network_; }
  const model::Network& network() const { return network_; }
  strategy::Arenas& arenas() { return arenas_; }
  strategy::Exchange& exchange() { return *exchange_; }
  const strategy::Exchange& exchange() const { return *exchange_; }

  /// Updates that this worker has taken part in, over all calls of fit().
  std::int64_t steps = 0;

  /// Of a loop of the user's own: the batch that the last pass has read, and how many examples the
  /// gradients that apply() sends are of.
  std::optional<data::Batcher> batcher;
  std::size_t examples_ready = 0;

 private:
  const std::uint64_t seed_;
  std::unique_ptr<compute::Device> device_;
  model::Network network_;
  strategy::Arenas arenas_;
  std::unique_ptr<strategy::Exchange> exchange_;
};

}  // namespace dtrain::inline v0
