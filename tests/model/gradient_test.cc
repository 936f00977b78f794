// Gradients of whole networks against differences of their losses: every layer, every activation,
// every loss.
#include <gtest/gtest.h>

#include <algorithm>
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

/// `ids`: inputs are whole numbers below it.
void check_gradients(const Functional& model, const Loss& loss, std::int64_t ids = 0) {
  const auto device = compute::cpu_device();
  Network network(model, kSeed, *device);
  network.set_objective(loss, {});
  Examples examples =
      examples_for(network, std::holds_alternative<SparseCategoricalCrossentropy>(loss));
  for (std::size_t i = 0; ids > 0 && i < examples.inputs.size(); ++i) {
    examples.inputs[i] = static_cast<float>((i * 7 + i / 3) % static_cast<std::size_t>(ids));
  }
  const auto loss_now = [&] {
    Sums sums;
    network.train_step(examples.batch(), 3, sums);
    return sums.mean_loss();
  };
  loss_now();
  const std::vector<float> gradients(network.gradients().begin(), network.gradients().end());
  double largest = 0;
  for (const tensor::LayoutEntry& entry : network.layout().entries()) {
    // What is subtracted from a running average is no slope.
    if (std::ranges::count(network.statistics(), entry.name) > 0) continue;
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

void check_gradients(const std::vector<Layer>& layers, const Loss& loss, Shape input_shape = {6}) {
  check_gradients(to_functional({.input_shape = std::move(input_shape), .layers = layers}), loss);
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

TEST(Gradient, OfConvolutions) {
  check_gradients(
      {Conv2D{.filters = 3, .kernel_size = {3, 2}, .activation = Activation::kTanh},
       Conv2D{.filters = 2, .kernel_size = {2, 2}, .strides = {2, 1}, .padding = Padding::kSame},
       Flatten{}, Dense{3}},
      kLogits, {6, 5, 2});
  check_gradients(
      {Conv2D{.filters = 4, .kernel_size = {2, 2}, .dilation_rate = {2, 1}, .groups = 2},
       Flatten{}},
      MeanSquaredError{}, {5, 4, 2});
  check_gradients({Conv1D{.filters = 3, .kernel_size = 3, .padding = Padding::kCausal},
                   Conv1D{.filters = 2, .kernel_size = 2, .strides = 2}, Flatten{}},
                  MeanSquaredError{}, {7, 2});
  check_gradients(
      {DepthwiseConv2D{.kernel_size = {3, 3}, .padding = Padding::kSame, .depth_multiplier = 2},
       Flatten{}, Dense{2}},
      MeanSquaredError{}, {4, 4, 3});
}

TEST(Gradient, ThroughPooling) {
  const Dense front{4, Activation::kTanh};
  check_gradients({front, MaxPooling2D{.pool_size = {2, 2}}, Flatten{}, Dense{2}},
                  MeanSquaredError{}, {4, 5, 2});
  check_gradients(
      {front, AveragePooling2D{.pool_size = {3, 2}, .strides = {1, 1}, .padding = Padding::kSame},
       Flatten{}},
      MeanSquaredError{}, {4, 5, 2});
  check_gradients({front, GlobalAveragePooling2D{}}, MeanSquaredError{}, {4, 5, 2});
  check_gradients({front, GlobalMaxPooling1D{}}, MeanSquaredError{}, {5, 2});
}

TEST(Gradient, OfNormalization) {
  check_gradients({Dense{5, Activation::kTanh}, BatchNormalization{}, Dense{3}}, kLogits);
  check_gradients({Dense{5, Activation::kTanh}, LayerNormalization{}, Dense{3}}, kLogits);
  check_gradients({Conv1D{.filters = 3, .kernel_size = 2}, BatchNormalization{}, Flatten{}},
                  MeanSquaredError{}, {4, 2});
}

TEST(Gradient, OfGraphsThatMergeAndShareLayers) {
  Functional model;
  const auto in = model.input({.shape = {6}});
  const auto left = model.add(Dense{4, Activation::kTanh}, {in});
  const auto right = model.add(Dense{4, Activation::kSigmoid}, {in});
  const auto both = model.add(Multiply{}, {left, right});
  const auto sum = model.add(Add{}, {both, left, right});
  const auto dot = model.add(Dot{.normalize = true}, {left, sum});
  const std::size_t layer = model.share(Dense{.units = 4, .activation = Activation::kTanh});
  const auto again = model.call(layer, {model.call(layer, {sum})});
  model.output(model.add(Concatenate{}, {again, dot}));
  check_gradients(model, MeanSquaredError{});
}

TEST(Gradient, OfRowsAndBags) {
  Functional model;
  const auto ids = model.input({.shape = {3}});
  const auto rows = model.add(Flatten{}, {model.add(Embedding{7, 2}, {ids})});
  const auto bag =
      model.add(EmbeddingBag{.input_dim = 7, .output_dim = 3, .combiner = Combiner::kMean}, {ids});
  model.output(model.add(Dense{2}, {model.add(Concatenate{}, {rows, bag})}));
  check_gradients(model, MeanSquaredError{}, 7);
}

TEST(Gradient, OfRegularizers) {
  check_gradients({Dense{.units = 5,
                         .activation = Activation::kTanh,
                         .kernel_regularizer = {.l2 = 0.3F},
                         .bias_regularizer = {.l2 = 0.2F}},
                   Dense{.units = 3, .kernel_regularizer = {.l1 = 0.05F}}},
                  kLogits);
}

}  // namespace
}  // namespace dtrain::inline v0::model
