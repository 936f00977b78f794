// Losses, their gradients and metrics against what Keras computes in float32:
// keras_losses_golden.py writes the numbers.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "batch.h"
#include "compute/cpu_device.h"
#include "model/objective.h"

namespace dtrain::inline v0::model {
namespace {

struct KerasLoss {
  Loss loss;
  Activation activation;       ///< Between the numbers and the outputs.
  std::vector<float> numbers;  ///< kRows rows.
  std::vector<float> targets;  ///< Or
  std::vector<std::int32_t> classes;
  float value;
  std::vector<float> gradient;  ///< By the numbers.
  float weighted_value;
  std::vector<float> weighted_gradient;
};

struct KerasData {
  std::vector<std::vector<float>> outputs;  ///< One a batch.
  std::vector<std::vector<float>> targets;
  std::vector<std::vector<std::int32_t>> classes;
  std::vector<std::vector<float>> weights;
};

struct KerasMetric {
  Metric metric;
  const KerasData& data;
  std::vector<float> values;
  std::vector<float> weighted_values;
};

constexpr std::size_t kRows = 6;

#include "keras_losses_golden.inc"

constexpr double kTolerance = 1e-5;

/// `size`: of what a difference of two numbers may leave behind.
void expect_near(double ours, double keras, double size, const std::string& what) {
  EXPECT_NEAR(ours, keras, kTolerance * std::abs(keras) + 2e-7 * size) << what;
}

tensor::Batch batch_of(std::size_t rows, const std::vector<float>& targets,
                       const std::vector<std::int32_t>& classes,
                       const std::vector<float>& weights) {
  tensor::Batch batch{.size = rows};
  const auto count = static_cast<std::int64_t>(rows);
  if (!classes.empty()) batch.targets = {tensor::view_of(std::span(classes), {count})};
  if (!targets.empty()) {
    const auto columns = static_cast<std::int64_t>(targets.size()) / count;
    batch.targets = {tensor::view_of(std::span(targets), {count, columns})};
  }
  if (!weights.empty()) batch.weights = tensor::view_of(std::span(weights), {count});
  return batch;
}

class Keras : public testing::TestWithParam<int> {
 protected:
  void check_loss(const KerasLoss& keras, const std::vector<float>& weights, float value,
                  const std::vector<float>& expected, const std::string& what) {
    const std::size_t columns = keras.numbers.size() / kRows;
    Objective objective({.loss = keras.loss}, {static_cast<std::int64_t>(columns)},
                        keras.activation);
    const tensor::Batch batch = batch_of(kRows, keras.targets, keras.classes, weights);
    objective.check(truth_of(batch));
    const compute::ConstMatrix numbers(keras.numbers.data(), kRows, columns);
    std::vector<float> gradient(keras.numbers.size());
    const LossSum sum = objective.measure(*device_, {.values = numbers, .logits = numbers},
                                          truth_of(batch), {gradient.data(), kRows, columns}, {});
    expect_near(sum.loss / kRows, value, 0.0, what);
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      expect_near(gradient[i], expected[i], 1.0 / kRows, what + ", element " + std::to_string(i));
    }
  }

  const std::unique_ptr<compute::Device> device_ = compute::cpu_device({.threads = GetParam()});
};

TEST_P(Keras, LossesAndGradientsAreIts) {
  for (const KerasLoss& keras : kLosses) {
    const std::string what = std::string(loss_name(keras.loss)) + " number " +
                             std::to_string(&keras - kLosses) + " of the list";
    check_loss(keras, {}, keras.value, keras.gradient, what);
    check_loss(keras, kWeights, keras.weighted_value, keras.weighted_gradient, what + ", weighted");
  }
}

TEST_P(Keras, MetricsOverBatchesAreIts) {
  for (const KerasMetric& keras : kMetrics) {
    const std::string what =
        metric_name(keras.metric) + " number " + std::to_string(&keras - kMetrics) + " of the list";
    const std::size_t rows = keras.data.weights[0].size();
    const std::size_t columns = keras.data.outputs[0].size() / rows;
    const bool sparse = !keras.data.classes.empty();
    Objective objective(
        {.loss = sparse ? Loss(SparseCategoricalCrossentropy{}) : Loss(MeanSquaredError{}),
         .metrics = {keras.metric},
         .weighted_metrics = {keras.metric}},
        {static_cast<std::int64_t>(columns)});
    // Two workers, whose sums are merged.
    Sums workers[2];
    for (std::size_t i = 0; i < keras.data.outputs.size(); ++i) {
      const std::vector<float> targets = sparse ? std::vector<float>() : keras.data.targets[i];
      const std::vector<std::int32_t> classes =
          sparse ? keras.data.classes[i] : std::vector<std::int32_t>();
      const tensor::Batch batch = batch_of(rows, targets, classes, keras.data.weights[i]);
      Sums& sums = workers[i % 2];
      sums.metrics.resize(objective.metrics().state_count());
      objective.measure(*device_, {.values = {keras.data.outputs[i].data(), rows, columns}},
                        truth_of(batch), {}, sums.metrics);
    }
    workers[0].merge(workers[1]);
    const auto results = objective.metrics().results(workers[0].metrics);
    std::vector<float> expected = keras.values;
    expected.insert(expected.end(), keras.weighted_values.begin(), keras.weighted_values.end());
    ASSERT_EQ(results.size(), expected.size()) << what;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expect_near(results[i].second, expected[i], 0.0, what + ": " + results[i].first);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, Keras, testing::Values(1, 2));

}  // namespace
}  // namespace dtrain::inline v0::model
