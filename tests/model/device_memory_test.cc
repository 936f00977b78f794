// A network on a device whose memory is not the host's, as a GPU's is.
#include <gtest/gtest.h>

#include <map>

#include "base/philox.h"
#include "batch.h"
#include "compute/cpu_device.h"
#include "model/network.h"

namespace dtrain::inline v0::model {
namespace {

using namespace compute;  // NOLINT(google-build-using-namespace)

/// Computes on the CPU, but only with memory that it allocated itself.
class SeparateMemory final : public Device {
 public:
  std::string description() const override { return "separate"; }
  bool is_host_memory() const override { return false; }
  std::shared_ptr<void> allocate(std::size_t bytes) override {
    auto memory = cpu_->allocate(bytes);
    const auto* begin = static_cast<const std::byte*>(memory.get());
    owned_[begin] = begin + bytes;
    return {memory.get(), [this, memory, begin](void* /*data*/) { owned_.erase(begin); }};
  }
  void upload(void* to, const void* from_host, std::size_t bytes) override {
    expect_own(to);
    EXPECT_FALSE(owns(from_host)) << "uploaded from the device's own memory";
    cpu_->upload(to, from_host, bytes);
  }
  void download(void* to_host, const void* from, std::size_t bytes) override {
    expect_own(from);
    cpu_->download(to_host, from, bytes);
  }
  void synchronize() override {}
  void copy(std::span<const float> from, std::span<float> to) override { cpu_->copy(from, to); }
  void fill(std::span<float> to, float value) override { cpu_->fill(to, value); }
  void product(const Product& product) override {
    expect_own(product.a.data);
    expect_own(product.b.data);
    expect_own(product.out.data);
    cpu_->product(product);
  }
  void column_sums(ConstMatrix in, std::span<float> out) override {
    expect_own(in.data);
    expect_own(out.data());
    cpu_->column_sums(in, out);
  }
  void activate(Activation activation, ConstMatrix in, Matrix out) override {
    expect_own(in.data);
    cpu_->activate(activation, in, out);
  }
  void activate_backward(Activation activation, ConstMatrix out, ConstMatrix out_gradient,
                         Matrix in_gradient) override {
    cpu_->activate_backward(activation, out, out_gradient, in_gradient);
  }
  void dropout(const DropoutPass& pass) override {
    expect_own(pass.example_indices.data());
    expect_own(pass.in.data);
    cpu_->dropout(pass);
  }
  void loss(const LossPass& pass) override {
    if (!pass.labels.empty()) expect_own(pass.labels.data());
    if (pass.targets.data != nullptr) expect_own(pass.targets.data);
    cpu_->loss(pass);
  }
  void metric(const MetricPass& pass) override {
    if (!pass.labels.empty()) expect_own(pass.labels.data());
    expect_own(pass.values.data());
    cpu_->metric(pass);
  }
  void gather_rows(ConstMatrix table, std::span<const std::int64_t> rows, Matrix out) override {
    expect_own(table.data);
    expect_own(rows.data());
    expect_own(out.data);
    cpu_->gather_rows(table, rows, out);
  }
  void sum_rows(ConstMatrix in, std::span<const std::int64_t> rows, Matrix table) override {
    expect_own(in.data);
    expect_own(rows.data());
    expect_own(table.data);
    cpu_->sum_rows(in, rows, table);
  }
  void optimizer_step(const Optimizer& optimizer, const OptimizerUpdate& update) override {
    cpu_->optimizer_step(optimizer, update);
  }
  void accumulate(std::span<float> sum, std::span<const float> gradients, float weight) override {
    cpu_->accumulate(sum, gradients, weight);
  }
  void add_squares(std::span<const float> values, compute::SquareSum& sum) override {
    cpu_->add_squares(values, sum);
  }

 private:
  bool owns(const void* address) const {
    const auto* byte = static_cast<const std::byte*>(address);
    auto after = owned_.upper_bound(byte);
    return after != owned_.begin() && byte < std::prev(after)->second;
  }
  void expect_own(const void* address) const {
    EXPECT_TRUE(owns(address)) << "the host's memory was given to the device";
  }

  std::unique_ptr<Device> cpu_ = cpu_device();
  std::map<const std::byte*, const std::byte*> owned_;
};

TEST(DeviceMemory, ANetworkHandsADeviceOnlyWhatLiesInItsMemory) {
  Examples examples{.input_shape = {12}};
  base::PhiloxStream numbers(1);
  for (int i = 0; i < 12 * 9; ++i) examples.inputs.push_back(numbers.uniform());
  for (std::uint64_t i = 0; i < 9; ++i) {
    examples.labels.push_back(static_cast<std::int32_t>(i % 3));
    examples.indices.push_back(i);
  }
  Examples dense = examples;
  dense.labels.clear();
  dense.targets.assign(27, 0.5F);
  dense.target_shape = {3};
  const auto run = [&](Device& device, const Examples& data, const Loss& loss) {
    Network network(
        {.input_shape = {12},
         .layers = {Dense{8, Activation::kRelu}, Dropout{}, Dense{3, Activation::kSoftmax}}},
        1, device);
    network.set_objective(loss, {Metric::kAccuracy});
    Sums sums;
    network.train_step(data.batch(), 1, sums);
    network.evaluate_step(data.batch(), sums);
    std::vector<float> result(27), gradients(network.layout().count());
    network.predict(data.batch(), result);
    device.download(gradients.data(), network.gradients().data(), gradients.size() * sizeof(float));
    result.insert(result.end(), gradients.begin(), gradients.end());
    return std::pair(sums, result);
  };
  SeparateMemory separate;
  const auto cpu = cpu_device();
  EXPECT_EQ(run(separate, examples, SparseCategoricalCrossentropy{}),
            run(*cpu, examples, SparseCategoricalCrossentropy{}));
  EXPECT_EQ(run(separate, dense, MeanSquaredError{}), run(*cpu, dense, MeanSquaredError{}));
}

TEST(DeviceMemory, RowsGoToTheDeviceAndTheirGradientsComeBack) {
  const Examples examples{
      .input_shape = {2}, .inputs = {3, 1, 1, 0, 7, 3}, .targets = {1, 2, 3}, .target_shape = {1}};
  const auto run = [&](Device& device, bool rows_elsewhere) {
    Network network(
        {.input_shape = {2},
         .layers = {Embedding{
                        .input_dim = 9, .output_dim = 2, .embeddings_initializer = Constant{0.5F}},
                    Flatten{}, Dense{1}}},
        1, device, {.rows_elsewhere = rows_elsewhere});
    network.set_fetch_rows([](std::span<const std::uint64_t> /*keys*/, std::span<float> values) {
      std::ranges::fill(values, 0.5F);
    });
    network.set_objective(MeanSquaredError{}, {});
    Sums sums;
    network.train_step(examples.batch(), 0, sums);
    const auto gradients = network.row_gradients();
    return std::pair(sums.mean_loss(), std::vector(gradients.begin(), gradients.end()));
  };
  SeparateMemory separate;
  const auto cpu = cpu_device();
  EXPECT_EQ(run(separate, true), run(*cpu, true));
  EXPECT_EQ(run(separate, true).second.size(), 8U);
  EXPECT_EQ(run(separate, false).first, run(*cpu, true).first);
}

}  // namespace
}  // namespace dtrain::inline v0::model
