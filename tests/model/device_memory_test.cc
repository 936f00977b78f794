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
  void activate(const compute::ActivationPass& pass) override {
    expect_own(pass.in.data);
    cpu_->activate(pass);
  }
  void activate_backward(const compute::ActivationBackwardPass& pass) override {
    cpu_->activate_backward(pass);
  }
  void convolution(const compute::ConvolutionPass& pass) override {
    expect_own(pass.in.data());
    expect_own(pass.kernel.data());
    expect_own(pass.out.data());
    cpu_->convolution(pass);
  }
  void convolution_backward(const compute::ConvolutionBackwardPass& pass) override {
    expect_own(pass.out_gradient.data());
    cpu_->convolution_backward(pass);
  }
  void pooling(const compute::PoolingPass& pass) override { cpu_->pooling(pass); }
  void pooling_backward(const compute::PoolingBackwardPass& pass) override {
    cpu_->pooling_backward(pass);
  }
  void batch_normalization(const compute::BatchNormalizationPass& pass) override {
    cpu_->batch_normalization(pass);
  }
  void batch_inference(const compute::BatchInferencePass& pass) override {
    cpu_->batch_inference(pass);
  }
  void batch_normalization_backward(const compute::BatchNormalizationBackwardPass& pass) override {
    cpu_->batch_normalization_backward(pass);
  }
  void layer_normalization(const compute::LayerNormalizationPass& pass) override {
    cpu_->layer_normalization(pass);
  }
  void layer_normalization_backward(const compute::LayerNormalizationBackwardPass& pass) override {
    cpu_->layer_normalization_backward(pass);
  }
  void unit_rows(const compute::UnitRowsPass& pass) override { cpu_->unit_rows(pass); }
  void unit_rows_backward(const compute::UnitRowsBackwardPass& pass) override {
    cpu_->unit_rows_backward(pass);
  }
  void combine(const compute::CombinePass& pass) override { cpu_->combine(pass); }
  void copy_rows(const compute::CopyRowsPass& pass) override { cpu_->copy_rows(pass); }
  void broadcast(const compute::BroadcastPass& pass) override { cpu_->broadcast(pass); }
  void broadcast_backward(const compute::BroadcastBackwardPass& pass) override {
    cpu_->broadcast_backward(pass);
  }
  void dot(const compute::DotPass& pass) override { cpu_->dot(pass); }
  void dot_backward(const compute::DotBackwardPass& pass) override { cpu_->dot_backward(pass); }
  void gather_bags(const compute::GatherBagsPass& pass) override { cpu_->gather_bags(pass); }
  void scatter_bags(const compute::ScatterBagsPass& pass) override { cpu_->scatter_bags(pass); }
  void moving_average(std::span<float> average, std::span<const float> values,
                      float momentum) override {
    cpu_->moving_average(average, values, momentum);
  }
  void scale(std::span<const float> in, float factor, std::span<float> out) override {
    cpu_->scale(in, factor, out);
  }
  double penalty(const compute::Penalty& penalty, std::span<const float> values) override {
    return cpu_->penalty(penalty, values);
  }
  void penalty_gradient(const compute::Penalty& penalty, std::span<const float> values,
                        std::span<float> gradients) override {
    cpu_->penalty_gradient(penalty, values, gradients);
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
    network.set_objective(loss, {"accuracy"});
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
    network.set_fetch_rows([](std::span<const RowRequest> requests) {
      for (const RowRequest& request : requests) std::ranges::fill(request.values, 0.5F);
    });
    network.set_objective(MeanSquaredError{}, {});
    Sums sums;
    network.train_step(examples.batch(), 0, sums);
    if (!rows_elsewhere) return std::pair(sums.mean_loss(), std::vector<float>());
    const auto gradients = network.row_gradients(0);
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
