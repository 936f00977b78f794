// Updates of optimizers. The limit is an in-place add of the same number of elements, made longer
// by as much as an optimizer with slots reads and writes more.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "bench/limits_memory.h"
#include "bench/statistics.h"
#include "compute/dispatch.h"
#include "compute/optimizer.h"
#include "dtrain/error.h"
#include "kernels_bench.h"
#include "tensor/arena.h"

namespace dtrain::benchmarks {
namespace {

// Values, gradients and slots of one server, updated in place.
class Variables {
 public:
  Variables(Optimizer optimizer, std::size_t count)
      : optimizer_(std::move(optimizer)),
        values_(tensor::Arena::shared(count)),
        gradients_(tensor::Arena::shared(count)),
        slots_(compute::slot_arenas(optimizer_, count)) {
    for (std::size_t i = 0; i < count; ++i) {
      values_.span()[i] = static_cast<float>(i % 255) / 255.0F - 0.5F;
      gradients_.span()[i] = static_cast<float>(i % 127) / 127.0F - 0.5F;
    }
  }

  void update(const compute::KernelTable& kernels) {
    compute::OptimizerUpdate update{.step = ++step_,
                                    .values = values_.span(),
                                    .updated = values_.span(),
                                    .gradients = gradients_.span()};
    for (std::size_t i = 0; i < slots_.size(); ++i) update.slots[i] = slots_[i].span();
    compute::apply_with(kernels, optimizer_, update);
  }

  std::span<const float> values() const { return values_.span(); }
  // In-place addition reads two elements and writes one; an update also reads and writes its slots.
  double work_over_add() const { return (3.0 + 2.0 * compute::slot_count(optimizer_)) / 3.0; }

 private:
  const Optimizer optimizer_;
  tensor::Arena values_;
  tensor::Arena gradients_;
  std::array<tensor::Arena, compute::kOptimizerSlotsMax> slots_;
  std::int64_t step_ = 0;
};

// Three updates by the fastest kernels give the bits that the simplest ones give.
void check(const Optimizer& optimizer) {
  constexpr std::size_t kCount = 10'007;
  Variables fast(optimizer, kCount);
  Variables simple(optimizer, kCount);
  const float before = simple.values()[0];
  for (int i = 0; i < 3; ++i) {
    fast.update(compute::best_kernels());
    simple.update(compute::kernels_for(compute::InstructionSet::kBaseline));
  }
  if (!std::ranges::equal(fast.values(), simple.values()) || simple.values()[0] == before) {
    throw Error(ErrorCode::kInternal, "The update gives other values than the baseline's");
  }
}

Comparison compare(const Optimizer& optimizer, std::size_t bytes) {
  check(optimizer);
  const auto variables = std::make_shared<Variables>(optimizer, bytes / sizeof(float));
  const auto memory = std::make_shared<bench::MemoryLimit>(bytes);
  return {.result =
              [=] {
                const bench::Stopwatch watch;
                variables->update(compute::best_kernels());
                const double seconds = watch.seconds();
                if (!std::isfinite(variables->values().back())) {
                  throw Error(ErrorCode::kInternal, "The update gives values that are not finite");
                }
                return seconds;
              },
          .limit = [=] { return memory->add(bytes) * variables->work_over_add(); },
          .bytes = static_cast<double>(bytes)};
}

}  // namespace

void register_optimizers(const ProgramOptions& options) {
  const std::vector<std::pair<std::string, Optimizer>> all = {
      {"sgd", Sgd{}},         {"sgd_momentum", Sgd{.momentum = 0.9F}},
      {"adagrad", Adagrad{}}, {"adadelta", Adadelta{}},
      {"rmsprop", RmsProp{}}, {"adam", Adam{}},
      {"adamw", AdamW{}},     {"adamax", Adamax{}},
      {"nadam", Nadam{}},     {"ftrl", Ftrl{}},
      {"lion", Lion{}},
  };
  const std::vector<std::size_t> sizes =
      options.small ? std::vector<std::size_t>{256 << 10}
                    : std::vector<std::size_t>{256 << 10, 16 << 20, 64 << 20};
  for (const auto& [name, optimizer] : all) {
    for (const std::size_t bytes : sizes) {
      add_case(base::str_cat("kernels/optimizer/", name, "/", size_name(bytes)), options,
               [optimizer = optimizer, bytes] { return compare(optimizer, bytes); });
    }
    if (options.small) return;
  }
}

}  // namespace dtrain::benchmarks
