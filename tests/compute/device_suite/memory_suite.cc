#include "base/philox.h"
#include "device_suite.h"

namespace dtrain::inline v0::compute {

std::vector<float> random_floats(std::size_t count, std::uint64_t seed, float low, float high) {
  base::PhiloxStream numbers(seed);
  std::vector<float> elements(count);
  for (float& element : elements) element = low + numbers.uniform() * (high - low);
  return elements;
}

namespace {

TEST_P(DeviceSuite, MemoryIsZeroAtFirstAndCanBeFilledCopiedAndSummed) {
  const auto memory = device_->allocate(100 * sizeof(float));
  const std::span<float> elements(static_cast<float*>(memory.get()), 100);
  Elements host(100, 5.0F);
  device_->download(host.data(), elements.data(), elements.size_bytes());
  EXPECT_EQ(host, Elements(100, 0.0F));
  device_->fill(elements, 2.0F);
  const OnDevice<float> other(*device_, Elements(100, 1.0F));
  device_->accumulate(other.span(), elements, 0.5F);
  device_->copy(other.span(), elements);
  device_->synchronize();
  device_->download(host.data(), elements.data(), elements.size_bytes());
  EXPECT_EQ(host, Elements(100, 2.0F));
}

}  // namespace
}  // namespace dtrain::inline v0::compute
