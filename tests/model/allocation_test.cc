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
    network.set_objective(SparseCategoricalCrossentropy{}, {"accuracy"});
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

TEST(Allocation, NeitherDoGraphsWithPreprocessing) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns the allocator";
  Functional model;
  const auto plain = model.input({.shape = {3}, .name = "an input with a long name"});
  const auto raw = model.input({.shape = {3}, .name = "another input with a long name"});
  const auto normal = model.add(Normalization{.mean = {1}, .variance = {4}}, {raw});
  std::vector<SymbolicTensor> terms;
  for (int i = 0; i < 20; ++i) terms.push_back(model.add(Dense{2}, {i % 2 == 0 ? plain : normal}));
  model.output(model.add(Multiply{}, {model.add(Add{}, terms), terms[0]}));
  const auto device = compute::cpu_device();
  Network network(model, 1, *device);
  network.set_objective("mse", {});
  const std::vector<float> inputs(12, 0.5F), targets(8, 1.0F);
  const auto view = tensor::view_of(std::span(inputs), {4, 3});
  const tensor::Batch batch{
      .size = 4, .inputs = {view, view}, .targets = {tensor::view_of(std::span(targets), {4, 2})}};
  Sums sums;
  network.train_step(batch, 0, sums);
  const long before = support::allocations();
  for (int i = 1; i < 5; ++i) network.train_step(batch, i, sums);
  EXPECT_EQ(support::allocations(), before);
}

TEST(Allocation, NeitherDoWeightsIntegerTargetsAndMetricsThatCount) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns the allocator";
  const auto device = compute::cpu_device();
  Network network({.input_shape = {30}, .layers = {Dense{4, Activation::kSigmoid}}}, 1, *device);
  network.set_objective("binary_crossentropy",
                        {"auc", "mse", metrics::Precision{.top_k = 2}, metrics::Recall{}},
                        {"accuracy", metrics::Auc{.from_logits = true}});
  const Examples examples{.input_shape = {30},
                          .inputs = std::vector<float>(30 * 64, 0.5F),
                          .labels = std::vector<std::int32_t>(64 * 4, 1),
                          .weights = std::vector<float>(64, 2.0F)};
  tensor::Batch batch = examples.batch();
  batch.targets = {tensor::view_of(std::span(examples.labels), {64, 4})};
  Sums sums;
  network.train_step(batch, 0, sums);
  const long before = support::allocations();
  for (int i = 1; i < 5; ++i) {
    sums.reset();
    network.train_step(batch, i, sums);
    network.evaluate_step(batch, sums);
  }
  EXPECT_EQ(support::allocations(), before);
}

}  // namespace
}  // namespace dtrain::inline v0::model
