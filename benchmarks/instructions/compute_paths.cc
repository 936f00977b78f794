// Kernels, each over 1 MiB of values or one layer's step.
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>

#include "compute/cpu_device.h"
#include "compute/half.h"
#include "compute/optimizer.h"
#include "compute/square_sum.h"
#include "path.h"
#include "tensor/arena.h"

namespace dtrain::instructions {
namespace {

constexpr std::size_t kCount = (1 << 20) / sizeof(float);

bool all_finite(std::span<const float> values) {
  for (const float value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

/// Numbers between -0.5 and 0.5.
void fill(std::span<float> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i * 37 % 101) / 100.0F - 0.5F;
  }
}

struct Update {
  explicit Update(Optimizer with)
      : optimizer(std::move(with)), slots(compute::slot_arenas(optimizer, kCount)) {
    fill(gradients.span());
  }
  Optimizer optimizer;
  tensor::Arena values{kCount};
  tensor::Arena gradients{kCount};
  std::array<tensor::Arena, compute::kOptimizerSlotsMax> slots;
  std::int64_t step = 0;

  void run() {
    compute::OptimizerUpdate update{.step = ++step,
                                    .gradient_scale = 0.5F,
                                    .values = values.span(),
                                    .updated = values.span(),
                                    .gradients = gradients.span()};
    for (std::size_t i = 0; i < slots.size(); ++i) update.slots[i] = slots[i].span();
    compute::apply(optimizer, update);
  }
  bool right() { return all_finite(values.span()) && values.span()[1] != 0.0F; }
};

void add_optimizer(std::vector<Path>& paths, const std::string& name, const Optimizer& optimizer) {
  auto update = std::make_shared<Update>(optimizer);
  paths.push_back({"kernel/" + name + "/1MiB", [update] { update->run(); },
                   [update] { return update->right(); }});
}

void add_sums(std::vector<Path>& paths) {
  auto from = std::make_shared<tensor::Arena>(kCount);
  auto sum = std::make_shared<tensor::Arena>(kCount);
  fill(from->span());
  paths.push_back({"kernel/accumulate/1MiB",
                   [from, sum] { compute::accumulate(sum->span(), from->span(), 64.0F); },
                   [from, sum] {
                     return sum->span()[1] != 0.0F &&
                            std::remainder(sum->span()[1], 64.0F * from->span()[1]) == 0.0F;
                   }});
  auto norm = std::make_shared<double>(0.0);
  paths.push_back({"kernel/square_sum/1MiB",
                   [from, norm] {
                     compute::SquareSum squares;
                     squares.add(from->span());
                     *norm = squares.value();
                   },
                   [norm] { return std::abs(*norm / kCount - 0.085) < 0.001; }});
}

template <typename To16, typename From16>
void add_half(std::vector<Path>& paths, const std::string& type, To16 to16, From16 from16,
              float error_max) {
  struct Halves {
    tensor::Arena from{kCount};
    tensor::Arena back{kCount};
    std::vector<std::uint16_t> half = std::vector<std::uint16_t>(kCount);
  };
  auto halves = std::make_shared<Halves>();
  fill(halves->from.span());
  const auto right = [halves, error_max] {
    for (std::size_t i = 0; i < kCount; ++i) {
      if (std::abs(halves->from.span()[i] - halves->back.span()[i]) > error_max) return false;
    }
    return true;
  };
  paths.push_back({"kernel/to_" + type + "/1MiB",
                   [halves, to16] { to16(halves->from.span(), halves->half); },
                   [] { return true; }});
  paths.push_back({"kernel/from_" + type + "/1MiB",
                   [halves, from16] { from16(halves->half, halves->back.span()); }, right});
}

/// A hidden layer with ReLU: 64 examples, 256 inputs, 256 units.
struct Layer {
  static constexpr std::size_t kRows = 64;
  static constexpr std::size_t kSide = 256;
  Layer() {
    fill(inputs.span());
    fill(kernel.span());
    fill(outputs_gradient.span());
  }
  std::unique_ptr<compute::Device> device = compute::cpu_device({.threads = 1});
  tensor::Arena inputs{kRows * kSide};
  tensor::Arena kernel{kSide * kSide};
  tensor::Arena bias{kSide};
  tensor::Arena outputs{kRows * kSide};
  tensor::Arena outputs_gradient{kRows * kSide};
  tensor::Arena before_activation{kRows * kSide};
  tensor::Arena inputs_gradient{kRows * kSide};
  tensor::Arena kernel_gradient{kSide * kSide};
  tensor::Arena bias_gradient{kSide};

  static compute::Matrix batch(tensor::Arena& arena) { return {arena.span().data(), kRows, kSide}; }
  static compute::Matrix square(tensor::Arena& arena) {
    return {arena.span().data(), kSide, kSide};
  }

  void forward() {
    device->product({.a = batch(inputs),
                     .b = square(kernel),
                     .bias = bias.span(),
                     .activation = Activation::kRelu,
                     .out = batch(outputs)});
  }
  void backward() {
    device->activate_backward({.activation = Activation::kRelu,
                               .out = batch(outputs),
                               .out_gradient = batch(outputs_gradient),
                               .in_gradient = batch(before_activation)});
    device->product({.a = batch(inputs),
                     .b = batch(before_activation),
                     .transpose_a = true,
                     .out = square(kernel_gradient)});
    device->column_sums(batch(before_activation), bias_gradient.span());
    device->product({.a = batch(before_activation),
                     .b = square(kernel),
                     .transpose_b = true,
                     .out = batch(inputs_gradient)});
  }
  bool right() {
    double expected = 0.0;
    for (std::size_t k = 0; k < kSide; ++k) {
      expected += static_cast<double>(inputs.span()[k]) * kernel.span()[k * kSide];
    }
    return std::abs(outputs.span()[0] - std::max(expected, 0.0)) < 1e-3 &&
           all_finite(inputs_gradient.span()) && all_finite(kernel_gradient.span());
  }
};

}  // namespace

void add_compute_paths(std::vector<Path>& paths) {
  add_optimizer(paths, "sgd", Sgd{.learning_rate = 0.01F});
  add_optimizer(paths, "momentum", Sgd{.learning_rate = 0.01F, .momentum = 0.9F});
  add_optimizer(paths, "adam", Adam{});
  add_sums(paths);
  add_half(paths, "bfloat16", compute::to_bfloat16, compute::from_bfloat16, 0.002F);
  add_half(paths, "float16", compute::to_float16, compute::from_float16, 0.0003F);
  auto layer = std::make_shared<Layer>();
  paths.push_back({"dense/forward/64x256x256", [layer] { layer->forward(); },
                   [layer] { return layer->right(); }});
  paths.push_back({"dense/backward/64x256x256", [layer] { layer->backward(); },
                   [layer] { return layer->right(); }});
}

}  // namespace dtrain::instructions
