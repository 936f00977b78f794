#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dtrain/variable.h"

namespace dtrain::inline v0::bench {

/// What is measured: one blocking operation of a ParameterClient.
enum class Workload { kPush, kPull, kPushPull, kRowsPull, kRowsPush };

/// An exchange benchmark. All workers of a cluster are given the same.
struct ExchangeOptions {
  Workload workload = Workload::kPushPull;
  /// Of all variables together, as fp32. A multiple of 4.
  std::uint64_t size_bytes = 64 << 20;
  int variables = 1;  ///< Of equal size.
  std::string model;  ///< "resnet50" or "recommender" in place of size and variables; or empty.
  GradientType dtype = GradientType::kFloat32;
  bool asynchronous = false;
  bool arena = true;  ///< Gradients and values in ParameterClient::allocate() memory.
  std::size_t chunk_bytes = 1 << 20;
  // The table of the rows workloads, and how many sorted random rows of it an operation names.
  std::int64_t rows = 10'000'000;
  std::int64_t width = 16;
  std::int64_t keys = 100'000;
  // How much is measured.
  std::uint32_t repetitions = 0;  ///< 0: as many as fit into `seconds`.
  double seconds = 5;
  std::uint32_t warmup = 5;  ///< Operations before the measured ones; at least 1.
};

constexpr bool is_rows(Workload workload) {
  return workload == Workload::kRowsPull || workload == Workload::kRowsPush;
}
constexpr bool pushes(Workload workload) {
  return workload == Workload::kPush || workload == Workload::kPushPull ||
         workload == Workload::kRowsPush;
}
constexpr bool pulls(Workload workload) {
  return workload == Workload::kPull || workload == Workload::kPushPull ||
         workload == Workload::kRowsPull;
}

/// "push", "pull", "push-pull", "rows-pull", "rows-push". Static storage.
std::string_view to_string(Workload workload);
/// "fp32", "fp16", "bf16". Static storage.
std::string_view to_string(GradientType type);
/// The names again; throw invalid_argument that lists what there is.
Workload parse_workload(std::string_view text);
GradientType parse_dtype(std::string_view text);

/// `4K`, `64M`, `1G`, `1.5M`, `100`: bytes, with suffixes of 1024 (KiB and the like too). Throws
/// invalid_argument; `option` is named in it.
std::uint64_t parse_size(std::string_view text, std::string_view option);

/// Throws invalid_argument for what cannot be measured: sizes of 0, more variables than floats,
/// more keys than rows, an unknown model.
void validate(const ExchangeOptions& options);

/// Names and shapes of the variables of a workload that is not about rows.
std::vector<Variable> variables_of(const ExchangeOptions& options);
/// The same variables' memory, as fp32; of a rows workload, the memory of the named rows.
std::uint64_t payload_bytes(const ExchangeOptions& options);

/// `push-pull of 64 MiB in 1 variable, fp32, synchronous, arena`.
std::string describe(const ExchangeOptions& options);
/// `64 MiB`, `4 KiB`, `38000 B`: exact.
std::string binary_size(std::uint64_t bytes);

}  // namespace dtrain::inline v0::bench
