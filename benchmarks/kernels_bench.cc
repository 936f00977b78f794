// What runs on one core: updates of optimizers, conversions to 16 bits, Dense layers,
// convolutions. One thread.
#include "kernels_bench.h"

namespace dtrain::benchmarks {

std::vector<bench::ChildRole> child_roles() { return {}; }

void register_benchmarks(const ProgramOptions& options) {
  register_optimizers(options);
  register_half_conversions(options);
  register_dense_layers(options);
  register_convolutions(options);
}

}  // namespace dtrain::benchmarks
