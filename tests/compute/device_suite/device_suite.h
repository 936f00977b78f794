#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compute/device.h"

namespace dtrain::inline v0::compute {

using Elements = std::vector<float>;

struct DeviceCase {
  std::string name;
  std::function<std::unique_ptr<Device>()> make;
};

/// What every device promises: instantiate it with a device's factory.
class DeviceSuite : public testing::TestWithParam<DeviceCase> {
 protected:
  std::unique_ptr<Device> device_ = GetParam().make();
};

/// Host elements copied into a device's memory.
template <typename T>
class OnDevice {
 public:
  OnDevice(Device& device, std::span<const T> elements)
      : device_(device), count_(elements.size()), memory_(device.allocate(elements.size_bytes())) {
    device.upload(memory_.get(), elements.data(), elements.size_bytes());
  }
  OnDevice(Device& device, const std::vector<T>& elements)
      : OnDevice(device, std::span<const T>(elements)) {}

  std::span<T> span() const { return {static_cast<T*>(memory_.get()), count_}; }
  Matrix matrix(std::size_t rows, std::size_t columns) const {
    return {span().data(), rows, columns};
  }
  std::vector<T> host() const {
    std::vector<T> elements(count_);
    device_.download(elements.data(), memory_.get(), count_ * sizeof(T));
    return elements;
  }

 private:
  Device& device_;
  std::size_t count_;
  std::shared_ptr<void> memory_;
};

/// Keras's definition of an elementwise activation, in double; `constant` is what its default is
/// (leaky_relu's slope, the alpha of elu and celu).
double activation_reference(Activation activation, double x, double constant);
inline double activation_reference(Activation activation, double x) {
  return activation_reference(activation, x,
                              static_cast<double>(activation_default_constant(activation)));
}

/// `got` against the slopes of `loss`, computed in double, at every `every`-th element of x.
void expect_slopes(const Elements& got, const Elements& x,
                   const std::function<double(const std::vector<double>&)>& loss,
                   std::size_t every = 1);

/// The sum of a times b in double: the loss whose gradient for a is b.
double weighted(const std::vector<double>& a, const Elements& b);

/// Numbers in [low, high) from a seed.
std::vector<float> random_floats(std::size_t count, std::uint64_t seed, float low = -1.0F,
                                 float high = 1.0F);

}  // namespace dtrain::inline v0::compute
