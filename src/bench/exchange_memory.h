#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dtrain/parameter_client.h"

namespace dtrain::inline v0::bench {

/// Memory of floats for one side of an exchange, the variables' gradients or values: one run of the
/// client's transfer memory, each variable 64-byte aligned, or ordinary memory of each variable's
/// own. Thread-compatible; keeps its place when moved.
class ExchangeMemory {
 public:
  ExchangeMemory() = default;
  /// Throws resource_exhausted when there is none.
  ExchangeMemory(ParameterClient& client, std::span<const std::uint64_t> counts, bool arena);

  /// One span for each count.
  const std::vector<std::span<float>>& parts() const { return parts_; }

 private:
  std::optional<TransferMemory> arena_;
  std::vector<std::vector<float>> own_;
  std::vector<std::span<float>> parts_;
};

}  // namespace dtrain::inline v0::bench
