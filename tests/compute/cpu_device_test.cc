#include "compute/cpu_device.h"

#include "device_suite/device_suite.h"
#include "dtrain/error.h"
#include "support/seed.h"

namespace dtrain::inline v0::compute {
namespace {

std::string set_name(InstructionSet set) {
  if (set == InstructionSet::kBaseline) return "Baseline";
  return set == InstructionSet::kAvx2 ? "Avx2" : "Avx512";
}

std::vector<DeviceCase> all_cpu_devices() {
  std::vector<DeviceCase> cases;
  for (const InstructionSet set : supported_instruction_sets()) {
    for (const int threads : {1, 3}) {
      cases.push_back({set_name(set) + std::to_string(threads),
                       [=] { return cpu_device({.threads = threads, .instruction_set = set}); }});
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Cpu, DeviceSuite, testing::ValuesIn(all_cpu_devices()),
                         [](const auto& instance) { return instance.param.name; });

std::string message_of(const CpuOptions& options) {
  try {
    cpu_device(options);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(CpuDevice, RefusesNoThreads) {
  EXPECT_EQ(message_of({.threads = 0}),
            "[INVALID_ARGUMENT] the number of compute threads is 0. Give 1 to 1024.");
}

TEST(CpuDevice, SaysWhatItRunsOn) {
  EXPECT_EQ(cpu_device({.threads = 2, .instruction_set = InstructionSet::kBaseline})->description(),
            "cpu (baseline, 2 threads)");
}

// Everything but products is made of operations that round alike on every machine.
TEST(CpuDevice, ElementwiseBitsAreTheSameWithEveryInstructionSetAndThreadCount) {
  const std::uint64_t seed = support::seed();
  const std::size_t rows = 321, columns = 211;
  const std::vector<float> in = random_floats(rows * columns, seed, -9.0F, 9.0F);
  std::vector<std::int32_t> labels(rows);
  for (std::size_t row = 0; row < rows; ++row)
    labels[row] = static_cast<std::int32_t>(row % columns);
  for (int kind = 0; kind <= static_cast<int>(Activation::kSoftmax); ++kind) {
    const auto activation = static_cast<Activation>(kind);
    std::vector<std::vector<float>> results;
    for (const DeviceCase& c : all_cpu_devices()) {
      const auto device = c.make();
      const OnDevice<float> x(*device, in), gradient(*device, in);
      const OnDevice<float> loss_gradient(*device, in), losses(*device, std::vector<float>(rows));
      const OnDevice<float> y(*device, in);
      device->activate({.activation = activation,
                        .in = x.matrix(rows, columns),
                        .out = y.matrix(rows, columns)});
      device->activate_backward({.activation = activation,
                                 .in = x.matrix(rows, columns),
                                 .out = y.matrix(rows, columns),
                                 .out_gradient = gradient.matrix(rows, columns),
                                 .in_gradient = gradient.matrix(rows, columns)});
      device->loss({.function = LossFunction::kSparseCrossEntropyLogits,
                    .outputs = y.matrix(rows, columns),
                    .labels = labels,
                    .gradient = loss_gradient.matrix(rows, columns),
                    .losses = losses.span()});
      std::vector<float> all = y.host();
      for (const auto& part : {gradient.host(), loss_gradient.host(), losses.host()}) {
        all.insert(all.end(), part.begin(), part.end());
      }
      results.push_back(std::move(all));
    }
    for (const auto& result : results)
      EXPECT_EQ(result, results.front()) << activation_name(activation);
  }
}

/// Appends `elements` to `all`.
void append(std::vector<float>& all, const std::vector<float>& elements) {
  all.insert(all.end(), elements.begin(), elements.end());
}

std::vector<float> pooled_and_normalized(Device& device, const std::vector<float>& in) {
  const WindowAxis axis = window_axis(12, 3, WindowPadding::kSame, {.stride = 2});
  const PoolingShape shape{20, axis, axis, 19};
  const std::size_t rows = 20 * 12 * 12, columns = 19;
  const std::span<const float> images = std::span(in).first(rows * columns);
  const OnDevice<float> x(device, images), y(device, images), gradient(device, images);
  const OnDevice<float> out(device, images.first(shape.out_count()));
  const OnDevice<float> mean(device, images.first(rows)), inverse(device, images.first(rows));
  std::vector<float> all;
  for (const auto function : {PoolingFunction::kMax, PoolingFunction::kAverage}) {
    device.pooling({.function = function, .shape = shape, .in = x.span(), .out = out.span()});
    device.pooling_backward({.function = function,
                             .shape = shape,
                             .in = x.span(),
                             .out = out.span(),
                             .out_gradient = out.span(),
                             .in_gradient = gradient.span()});
    append(all, out.host());
    append(all, gradient.host());
  }
  const auto means = mean.span().first(columns), variances = inverse.span().first(columns);
  device.batch_normalization({.in = x.matrix(rows, columns),
                              .mean = means,
                              .variance = variances,
                              .out = y.matrix(rows, columns)});
  append(all, y.host());
  device.batch_normalization_backward({.in = x.matrix(rows, columns),
                                       .mean = means,
                                       .variance = variances,
                                       .out_gradient = gradient.matrix(rows, columns),
                                       .in_gradient = gradient.matrix(rows, columns)});
  append(all, gradient.host());
  device.layer_normalization({.in = x.matrix(rows, columns),
                              .mean = mean.span(),
                              .inverse_deviation = inverse.span(),
                              .out = y.matrix(rows, columns)});
  device.layer_normalization_backward({.in = x.matrix(rows, columns),
                                       .mean = mean.span(),
                                       .inverse_deviation = inverse.span(),
                                       .out_gradient = gradient.matrix(rows, columns),
                                       .gamma_gradient = out.span().first(columns),
                                       .in_gradient = gradient.matrix(rows, columns)});
  append(all, y.host());
  append(all, gradient.host());
  append(all, out.host());
  return all;
}

TEST(CpuDevice, PoolingAndNormalizationHaveTheSameBitsEverywhere) {
  const std::vector<float> in = random_floats(20 * 12 * 12 * 19, support::seed());
  std::vector<float> first;
  for (const DeviceCase& c : all_cpu_devices()) {
    const auto device = c.make();
    const std::vector<float> result = pooled_and_normalized(*device, in);
    if (first.empty()) first = result;
    EXPECT_EQ(result, first) << device->description();
  }
}

// A batch may lie anywhere in memory: addresses are not inputs of a computation.
TEST(CpuDevice, ProductBitsDoNotDependOnAddresses) {
  const std::uint64_t seed = support::seed();
  const std::size_t rows = 5, columns = 9, depth = 11;
  const auto device = cpu_device();
  const std::vector<float> a = random_floats(rows * depth, seed);
  const std::vector<float> b = random_floats(depth * columns, seed + 1);
  std::vector<float> first;
  for (std::size_t shift = 0; shift < 16; ++shift) {
    std::vector<float> moved_a(a.size() + shift), moved_b(b.size() + shift);
    std::copy(a.begin(), a.end(), moved_a.begin() + static_cast<std::ptrdiff_t>(shift));
    std::copy(b.begin(), b.end(), moved_b.begin() + static_cast<std::ptrdiff_t>(shift));
    std::vector<float> out(rows * columns + shift);
    device->product({.a = {moved_a.data() + shift, rows, depth},
                     .b = {moved_b.data() + shift, depth, columns},
                     .out = {out.data() + shift, rows, columns}});
    const std::vector<float> result(out.begin() + static_cast<std::ptrdiff_t>(shift), out.end());
    if (first.empty()) first = result;
    EXPECT_EQ(result, first) << "shifted by " << shift;
  }
}

}  // namespace
}  // namespace dtrain::inline v0::compute
