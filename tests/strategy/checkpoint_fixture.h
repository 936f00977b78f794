#pragma once

#include <functional>
#include <string>
#include <vector>

#include "dtrain/dtrain.h"

namespace dtrain::inline v0 {

/// A training whose bits show every kind of state: optimizer slots and step, dropout, shuffling,
/// batches that do not divide the 50 examples.
struct Training {
  Optimizer optimizer = Adam{.learning_rate = 0.01F};
  std::uint64_t seed = 5;
  std::int64_t units = 16;
};

/// Ends a training as a crash would: nothing is saved after it.
struct Interrupted {};

inline Dataset separable_points() {
  std::vector<float> features;
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 50; ++i) {
    for (int j = 0; j < 4; ++j) {
      features.push_back(static_cast<float>((i * 7 + j * 13) % 29) / 29.0F - 0.5F);
    }
    labels.push_back(features[features.size() - 4] > features[features.size() - 1] ? 1 : 0);
  }
  return Dataset::from_memory(features, {4}, labels);
}

inline Model build(const Strategy& strategy, const Training& training = {}) {
  Model model = strategy.build(
      {.input_shape = {4},
       .layers = {Dense{training.units, Activation::kRelu}, Dropout{.rate = 0.3F}, Dense{2}}},
      {.seed = training.seed});
  model.compile({.optimizer = training.optimizer,
                 .loss = SparseCategoricalCrossentropy{.from_logits = true},
                 .metrics = {"accuracy"}});
  return model;
}

/// 7 steps an epoch; 40 steps end within the sixth.
inline FitOptions fit_options(const std::string& folder = {}) {
  return {.epochs = 100,
          .batch_size = 8,
          .steps_max = 40,
          .checkpoint_dir = folder,
          .verbosity = Verbosity::kSilent};
}

inline std::vector<float> all_values(const Model& model) {
  std::vector<float> values;
  for (const std::string& name : model.variable_names()) {
    const std::vector<float> part = model.variable(name);
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}

}  // namespace dtrain::inline v0
