#include <cmath>

#include "base/philox.h"
#include "device_suite.h"

namespace dtrain::inline v0::compute {

std::vector<float> random_floats(std::size_t count, std::uint64_t seed, float low, float high) {
  base::PhiloxStream numbers(seed);
  std::vector<float> elements(count);
  for (float& element : elements) element = low + numbers.uniform() * (high - low);
  return elements;
}

void expect_slopes(const Elements& got, const Elements& x,
                   const std::function<double(const std::vector<double>&)>& loss,
                   std::size_t every) {
  ASSERT_EQ(got.size(), x.size());
  std::vector<double> at(x.begin(), x.end());
  for (std::size_t i = 0; i < x.size(); i += every) {
    constexpr double kStep = 1e-5;
    const double kept = at[i];
    at[i] = kept + kStep;
    const double above = loss(at);
    at[i] = kept - kStep;
    const double below = loss(at);
    at[i] = kept;
    const double slope = (above - below) / (2 * kStep);
    ASSERT_NEAR(got[i], slope, 3e-5 * std::max(1.0, std::abs(slope))) << "element " << i;
  }
}

double weighted(const std::vector<double>& a, const Elements& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * static_cast<double>(b[i]);
  return sum;
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
