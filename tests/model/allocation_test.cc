#include <gtest/gtest.h>

#include "batch.h"
#include "compute/cpu_device.h"
#include "model/network.h"
#include "support/allocations.h"

namespace dtrain::inline v0::model {
namespace {

TEST(Allocation, AStepAllocatesNothingAfterTheFirstOfItsSize) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns the allocator";
  for (const int threads : {1, 2}) {
    const auto device = compute::cpu_device({.threads = threads});
    Network network({.input_shape = {300},
                     .layers = {Dense{500, Activation::kRelu}, Dropout{},
                                Dense{300, Activation::kTanh}, Dense{10, Activation::kSoftmax}}},
                    1, *device);
    network.set_objective(SparseCategoricalCrossentropy{}, {Metric::kAccuracy});
    network.set_gradients_ready([](std::size_t /*begin*/, std::size_t /*end*/) {});
    Examples examples{.input_shape = {300},
                      .inputs = std::vector<float>(300 * 64, 0.5F),
                      .labels = std::vector<std::int32_t>(64, 3),
                      .indices = std::vector<std::uint64_t>(64, 1)};
    std::vector<float> out(64 * 10), m(network.layout().count()), v(m.size());
    const tensor::Batch whole = examples.batch(), smaller = examples.batch(3, 20);
    Sums sums;
    std::int64_t step = 0;
    const auto all = [&](const tensor::Batch& batch) {
      network.train_step(batch, step++, sums);
      device->optimizer_step(Adam{}, {.step = step,
                                      .values = network.values(),
                                      .updated = network.mutable_values(),
                                      .gradients = network.gradients(),
                                      .slots = {m, v}});
      network.evaluate_step(batch, sums);
      network.predict(batch, std::span(out).first(batch.size * 10));
    };
    const long before_first = support::allocations();
    all(whole);
    EXPECT_GT(support::allocations(), before_first) << "the counter does not count";
    const long before = support::allocations();
    for (int i = 0; i < 5; ++i) {
      all(whole);
      all(smaller);
    }
    EXPECT_EQ(support::allocations(), before) << threads << " threads";
  }
}

}  // namespace
}  // namespace dtrain::inline v0::model
