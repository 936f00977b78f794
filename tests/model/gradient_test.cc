// Gradients of whole networks against differences of their losses: every layer, every activation,
// every loss.
#include <gtest/gtest.h>

#include <cmath>

#include "base/philox.h"
#include "batch.h"
#include "compute/cpu_device.h"
#include "model/network.h"

namespace dtrain::inline v0::model {
namespace {

constexpr std::size_t kExamples = 5;
// Fixed, because at a kink of an activation the two sides of a difference disagree.
constexpr std::uint64_t kSeed = 20;

Examples examples_for(const Network& network, bool sparse) {
  base::PhiloxStream numbers(kSeed);
  Examples examples{.input_shape = network.input_shape()};
  examples.inputs.resize(kExamples * tensor::element_count(network.input_shape()));
  for (float& input : examples.inputs) input = 2.0F * numbers.uniform() - 1.0F;
  for (std::size_t i = 0; i < kExamples; ++i) {
    examples.indices.push_back(i * 17);
    if (sparse) examples.labels.push_back(static_cast<std::int32_t>(i % network.output_count()));
  }
  if (sparse) return examples;
  examples.target_shape = network.output_shape();
  for (std::size_t i = 0; i < kExamples; ++i) {
    float sum = 0.0F;
    std::vector<float> row(network.output_count());
    for (float& target : row) sum += target = numbers.uniform();
    for (const float target : row) examples.targets.push_back(target / sum);
  }
  return examples;
}

void check_gradients(const std::vector<Layer>& layers, const Loss& loss, Shape input_shape = {6}) {
  const auto device = compute::cpu_device();
  Network network({.input_shape = std::move(input_shape), .layers = layers}, kSeed, *device);
  network.set_objective(loss, {});
  const Examples examples =
      examples_for(network, std::holds_alternative<SparseCategoricalCrossentropy>(loss));
  const auto loss_now = [&] {
    Sums sums;
    network.train_step(examples.batch(), 3, sums);
    return sums.mean_loss();
  };
  loss_now();
  const std::vector<float> gradients(network.gradients().begin(), network.gradients().end());
  double largest = 0;
  for (const tensor::LayoutEntry& entry : network.layout().entries()) {
    for (std::size_t i = entry.offset; i < entry.end(); ++i) {
      float& value = network.mutable_values()[i];
      const float kept = value;
      constexpr float kStep = 4e-3F;
      value = kept + kStep;
      const double above = loss_now();
      const float high = value;
      value = kept - kStep;
      const double below = loss_now();
      const double slope =
          (above - below) / (static_cast<double>(high) - static_cast<double>(value));
      value = kept;
      ASSERT_NEAR(gradients[i], slope, 3e-4 + 5e-3 * std::abs(slope))
          << entry.name << " " << i - entry.offset;
      largest = std::max(largest, std::abs(slope));
    }
  }
  EXPECT_GT(largest, 0.01) << "nothing was checked: all gradients are almost zero";
}

const Loss kLogits = SparseCategoricalCrossentropy{.from_logits = true};

TEST(Gradient, OfEveryActivationInsideDense) {
  for (int kind = 0; kind <= static_cast<int>(Activation::kSoftmax); ++kind) {
    const auto activation = static_cast<Activation>(kind);
    SCOPED_TRACE(activation_name(activation));
    check_gradients({Dense{7, activation}, Dense{4}}, kLogits);
  }
}

TEST(Gradient, OfEveryActivationAsALayer) {
  for (int kind = 0; kind <= static_cast<int>(Activation::kSoftmax); ++kind) {
    const auto activation = static_cast<Activation>(kind);
    SCOPED_TRACE(activation_name(activation));
    check_gradients({Dense{7}, ActivationLayer{activation}, Dense{4}}, kLogits);
  }
}

TEST(Gradient, OfEveryLoss) {
  const std::vector<Layer> logits = {Dense{4}};
  const std::vector<Layer> softmax = {Dense{4, Activation::kSoftmax}};
  // Probabilities that no softmax made, well inside (0, 1).
  const std::vector<Layer> sigmoid = {Dense{4, Activation::kSigmoid}};
  check_gradients(logits, kLogits);
  check_gradients(softmax, SparseCategoricalCrossentropy{});
  check_gradients(sigmoid, SparseCategoricalCrossentropy{});
  check_gradients(logits, CategoricalCrossentropy{.from_logits = true});
  check_gradients(softmax, CategoricalCrossentropy{});
  check_gradients(sigmoid, CategoricalCrossentropy{});
  check_gradients(logits, MeanSquaredError{});
  check_gradients(softmax, MeanSquaredError{});
  check_gradients(logits, BinaryCrossentropy{.from_logits = true, .label_smoothing = 0.1F});
  check_gradients(sigmoid, BinaryCrossentropy{});
  check_gradients(softmax, BinaryCrossentropy{.label_smoothing = 0.2F});
  check_gradients(softmax, CategoricalCrossentropy{.label_smoothing = 0.2F});
  check_gradients(logits, Huber{.delta = 0.2F});
  check_gradients(sigmoid, MeanAbsoluteError{});
}

TEST(Gradient, ThroughDropout) {
  check_gradients({Dense{12, Activation::kTanh}, Dropout{.rate = 0.4F}, Dense{4}}, kLogits);
}

TEST(Gradient, OfDenseOverTheLastOfSeveralDimensionsAndFlatten) {
  check_gradients({Dense{3, Activation::kTanh}, Flatten{}, Dense{4}}, kLogits, {2, 3, 2});
  check_gradients({Dense{3, Activation::kSoftmax}, ActivationLayer{Activation::kTanh}},
                  MeanSquaredError{}, {2, 5});
}

TEST(Gradient, OfDenseWithoutBias) {
  check_gradients({Dense{.units = 5, .activation = Activation::kElu, .use_bias = false}, Dense{3}},
                  kLogits);
}

}  // namespace
}  // namespace dtrain::inline v0::model
