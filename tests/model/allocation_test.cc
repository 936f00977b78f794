// Counts what a step allocates, by standing in for the C library's malloc and its kin (operator new
// ends there too). Sanitizers stand in the same place.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "batch.h"
#include "compute/cpu_device.h"
#include "model/network.h"

#if defined(__has_feature)
#define DTRAIN_HAS_FEATURE(name) __has_feature(name)
#else
#define DTRAIN_HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    DTRAIN_HAS_FEATURE(address_sanitizer) || DTRAIN_HAS_FEATURE(thread_sanitizer)
#define DTRAIN_COUNTS_ALLOCATIONS 0
#else
#define DTRAIN_COUNTS_ALLOCATIONS 1
#endif

namespace {
std::atomic<long> allocations{0};
}  // namespace

#if DTRAIN_COUNTS_ALLOCATIONS
// Visible, or shared libraries (operator new is in one) would not find them.
#pragma GCC visibility push(default)
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) noexcept {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) noexcept {
  ++allocations;
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  ++allocations;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
  ++allocations;
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
}
#pragma GCC visibility pop
#endif

namespace dtrain::inline v0::model {
namespace {

TEST(Allocation, AStepAllocatesNothingAfterTheFirstOfItsSize) {
  if (!DTRAIN_COUNTS_ALLOCATIONS) GTEST_SKIP() << "a sanitizer owns the allocator";
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
    const long before_first = allocations;
    all(whole);
    EXPECT_GT(allocations, before_first) << "the counter does not count";
    const long before = allocations;
    for (int i = 0; i < 5; ++i) {
      all(whole);
      all(smaller);
    }
    EXPECT_EQ(allocations, before) << threads << " threads";
  }
}

TEST(Allocation, NeitherDoWeightsIntegerTargetsAndMetricsThatCount) {
  if (!DTRAIN_COUNTS_ALLOCATIONS) GTEST_SKIP() << "a sanitizer owns the allocator";
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
  const long before = allocations;
  for (int i = 1; i < 5; ++i) {
    sums.reset();
    network.train_step(batch, i, sums);
    network.evaluate_step(batch, sums);
  }
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace dtrain::inline v0::model
