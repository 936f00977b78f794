#include "model/objective.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "batch.h"
#include "compute/cpu_device.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::model {
namespace {

std::string message_of(const Loss& loss, const std::vector<Metric>& metrics, const Shape& outputs,
                       Activation activation = Activation::kLinear) {
  try {
    const Objective objective({.loss = loss, .metrics = metrics}, outputs, activation);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "valid";
}

std::string targets_message(const Objective& objective, const tensor::Batch& batch) {
  try {
    objective.check(truth_of(batch));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "valid";
}

TEST(Objective, LossAndLastLayerMustFit) {
  EXPECT_EQ(message_of(SparseCategoricalCrossentropy{}, {}, {10}, Activation::kSoftmax), "valid");
  EXPECT_EQ(message_of(SparseCategoricalCrossentropy{.from_logits = true}, {}, {10},
                       Activation::kSoftmax),
            "[INVALID_ARGUMENT] the loss sparse_categorical_crossentropy has from_logits = true, "
            "but the last layer applies softmax already. Set from_logits = false, or remove the "
            "softmax.");
  EXPECT_EQ(message_of(CategoricalCrossentropy{}, {}, {1}),
            "[INVALID_ARGUMENT] the loss categorical_crossentropy needs at least 2 classes, but "
            "the last layer has 1 output. Give the last Dense one unit per class, or use "
            "BinaryCrossentropy.");
  EXPECT_EQ(message_of(CategoricalCrossentropy{}, {}, {4, 3}),
            "[INVALID_ARGUMENT] the loss categorical_crossentropy needs one output per class, but "
            "the last layer gives (4, 3) per example. End the model with Flatten and "
            "Dense{classes}.");
}

TEST(Objective, MetricsMustFit) {
  EXPECT_EQ(message_of(SparseCategoricalCrossentropy{}, {"mean_squared_error"}, {3}),
            "[INVALID_ARGUMENT] the metric mean_squared_error needs targets of the output's shape, "
            "but the loss sparse_categorical_crossentropy takes class indices. Use "
            "CategoricalCrossentropy with one-hot targets, or the metric accuracy.");
  EXPECT_EQ(message_of(MeanSquaredError{}, {"accuracy"}, {2, 3}),
            "[INVALID_ARGUMENT] the metric accuracy needs one row of outputs per example, but the "
            "last layer gives (2, 3). End the model with Flatten and Dense, or leave the metric "
            "out.");
}

TEST(Objective, FieldsOfLossesAndMetricsAreChecked) {
  EXPECT_EQ(message_of(Huber{.delta = 0.0F}, {}, {1}),
            "[INVALID_ARGUMENT] the loss huber has delta = 0. Give a number above 0.");
  EXPECT_EQ(message_of(BinaryCrossentropy{.label_smoothing = 1.0F}, {}, {1}),
            "[INVALID_ARGUMENT] the loss binary_crossentropy has label_smoothing = 1. Give a "
            "number in [0, 1).");
  EXPECT_EQ(message_of(BinaryCrossentropy{.from_logits = true}, {}, {1}, Activation::kSigmoid),
            "[INVALID_ARGUMENT] the loss binary_crossentropy has from_logits = true, but the last "
            "layer applies sigmoid already. Set from_logits = false, or remove the sigmoid.");
  EXPECT_EQ(message_of("mse", {metrics::Auc{.num_thresholds = 1}}, {1}),
            "[INVALID_ARGUMENT] the metric auc has num_thresholds = 1. Give 2 to 50000.");
  EXPECT_EQ(message_of("mse", {metrics::Precision{.thresholds = {1.5F}}}, {1}),
            "[INVALID_ARGUMENT] the metric precision has the threshold 1.5. Give numbers from 0 "
            "to 1.");
  EXPECT_EQ(message_of("mse", {metrics::Recall{.class_id = 3}}, {3}),
            "[INVALID_ARGUMENT] the metric recall has class_id = 3, but the model has 3 outputs. "
            "Give 0 to 2.");
  EXPECT_EQ(message_of("mse", {metrics::TopKCategoricalAccuracy{.k = 0}}, {3}),
            "[INVALID_ARGUMENT] the metric top_k_categorical_accuracy has k = 0. Give at least 1.");
  EXPECT_EQ(message_of("mse", {"sparse_categorical_accuracy"}, {3}),
            "[INVALID_ARGUMENT] the metric sparse_categorical_accuracy takes class indices as "
            "targets, but the loss takes targets of the output's shape. Use categorical_accuracy, "
            "or the loss SparseCategoricalCrossentropy.");
}

TEST(Objective, MetricsOfOneNameAreNumbered) {
  const Objective objective({.loss = "mse",
                             .metrics = {"auc", "AUC", metrics::Auc{.name = "mine"}},
                             .weighted_metrics = {"auc"}},
                            {1});
  std::vector<std::string> names;
  for (const auto& [name, value] : objective.metrics().results({})) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"auc", "auc_1", "mine", "weighted_auc"}));
  EXPECT_EQ(objective.metrics().rises("auc_1"), true);
  EXPECT_EQ(objective.metrics().rises("loss"), std::nullopt);
}

TEST(Objective, BinaryTargetsMayBeIntegersFrom0To1) {
  Objective objective({.loss = "bce", .metrics = {"accuracy", "precision"}}, {1});
  Examples examples{
      .input_shape = {1}, .inputs = {0, 0, 0}, .labels = {0, 1, 1}, .indices = {7, 8, 9}};
  EXPECT_EQ(targets_message(objective, examples.batch()), "valid");
  std::vector<float> outputs = {0.25F, 0.75F, 0.25F};
  const auto device = compute::cpu_device();
  std::vector<double> state(objective.metrics().state_count());
  const tensor::Batch batch = examples.batch();
  const LossSum sum =
      objective.measure(*device, {.values = {outputs.data(), 3, 1}}, truth_of(batch), {}, state);
  EXPECT_NEAR(sum.loss, -2 * std::log(0.75) - std::log(0.25), 1e-6);
  EXPECT_DOUBLE_EQ(objective.metrics().results(state)[0].second, 2.0 / 3);
  EXPECT_DOUBLE_EQ(objective.metrics().results(state)[1].second, 1.0);
  examples.labels = {0, 2, 1};
  EXPECT_EQ(targets_message(objective, examples.batch()),
            "[INVALID_ARGUMENT] a target of example 8 is 2, but the loss binary_crossentropy takes "
            "numbers from 0 to 1. Correct it, or use a categorical loss for more than two "
            "classes.");
}

TEST(Objective, WeightsMustBeOneAnExample) {
  const Objective objective({.loss = "mse"}, {1});
  const Examples examples{
      .input_shape = {1}, .inputs = {0, 0}, .targets = {1, 0}, .target_shape = {1}};
  tensor::Batch batch = examples.batch();
  const std::vector<float> weights = {1, 2, 3};
  batch.weights = tensor::view_of(std::span(weights), {3});
  EXPECT_EQ(targets_message(objective, batch),
            "[INVALID_ARGUMENT] the sample weights are float32 of the shape (3,). Give one "
            "float32 for each of the batch's 2 examples.");
}

TEST(Objective, ALabelOutOfRangeIsNamedWithItsExample) {
  const Objective objective({.loss = SparseCategoricalCrossentropy{}}, {10});
  Examples examples{
      .input_shape = {1}, .inputs = {0, 0, 0}, .labels = {3, 12, 9}, .indices = {70, 57, 2}};
  EXPECT_EQ(targets_message(objective, examples.batch()),
            "[INVALID_ARGUMENT] the label of example 57 is 12, but the model has 10 classes (0 to "
            "9). Correct the label, or give the last layer more units.");
  examples.labels = {3, 0, -1};
  EXPECT_EQ(targets_message(objective, examples.batch()),
            "[INVALID_ARGUMENT] the label of example 2 is -1, but the model has 10 classes (0 to "
            "9). Correct the label, or give the last layer more units.");
  examples.labels = {0, 5, 9};
  EXPECT_EQ(targets_message(objective, examples.batch()), "valid");
}

TEST(Objective, TargetsOfTheWrongTypeOrShapeSayWhatIsNeeded) {
  const Objective sparse({.loss = SparseCategoricalCrossentropy{}}, {2});
  const Objective dense({.loss = CategoricalCrossentropy{}}, {2});
  const Objective squared({.loss = MeanSquaredError{}}, {2});
  const Examples labels{.input_shape = {1}, .inputs = {0, 0}, .labels = {1, 0}};
  const Examples floats{.input_shape = {1}, .inputs = {0, 0}, .targets = {1, 0}};
  EXPECT_EQ(targets_message(sparse, floats.batch()),
            "[INVALID_ARGUMENT] the targets are float32, but the loss "
            "sparse_categorical_crossentropy takes int32 class indices. Give class indices, or use "
            "CategoricalCrossentropy for one-hot targets.");
  EXPECT_EQ(targets_message(dense, labels.batch()),
            "[INVALID_ARGUMENT] the targets are int32, but the loss categorical_crossentropy takes "
            "float32 values. Give one-hot targets, or use SparseCategoricalCrossentropy.");
  EXPECT_EQ(targets_message(squared, floats.batch()),
            "[INVALID_ARGUMENT] the targets have the shape (2,), but the loss mean_squared_error "
            "takes (2, 2), the shape of the outputs. Give targets of that shape, or change the "
            "last layer's units.");
  tensor::Batch none = floats.batch();
  none.targets = {};
  EXPECT_EQ(targets_message(squared, none),
            "[INVALID_ARGUMENT] the batch has no targets. Give the data set's labels beside its "
            "inputs.");
  tensor::Batch uneven = labels.batch();
  uneven.size = 1;
  EXPECT_EQ(targets_message(sparse, uneven),
            "[INVALID_ARGUMENT] the targets have the shape (2,), but the loss "
            "sparse_categorical_crossentropy takes one class index for each of the batch's 1 "
            "examples. Give targets of the shape (examples).");
}

/// A batch measured as Network does it.
Sums measured(Objective& objective, const tensor::Batch& batch, std::vector<float>& outputs,
              std::size_t first = 0) {
  const auto device = compute::cpu_device();
  const compute::Matrix matrix{outputs.data() + first, batch.size, outputs.size() / batch.size};
  Sums sums{.examples = batch.size};
  sums.metrics.resize(objective.metrics().state_count());
  const LossSum sum = objective.measure(*device, {.values = {matrix.data, batch.size, 1}},
                                        truth_of(batch), {}, sums.metrics);
  sums.loss = sum.loss;
  sums.nonfinite = sum.nonfinite;
  return sums;
}

double result(const Objective& objective, const Sums& sums, std::size_t index) {
  return objective.metrics().results(sums.metrics)[index].second;
}

TEST(Objective, SumsMergeAsIfTheBatchesWereOne) {
  Objective objective({.loss = "mse", .metrics = {"mae", "accuracy"}}, {1});
  const Examples examples{
      .input_shape = {1}, .inputs = {0, 0, 0}, .targets = {1, 0, 1}, .target_shape = {1}};
  std::vector<float> outputs = {0.75F, 0.25F, 0.25F};
  Sums merged = measured(objective, examples.batch(0, 2), outputs);
  merged.merge(measured(objective, examples.batch(2, 1), outputs, 2));
  EXPECT_EQ(merged, measured(objective, examples.batch(), outputs));
  EXPECT_EQ(merged.examples, 3U);
  EXPECT_DOUBLE_EQ(merged.mean_loss(), (0.0625 + 0.0625 + 0.5625) / 3);
  EXPECT_DOUBLE_EQ(result(objective, merged, 0), (0.25 + 0.25 + 0.75) / 3);
  EXPECT_DOUBLE_EQ(result(objective, merged, 1), 2.0 / 3);
  EXPECT_EQ(Sums{}.mean_loss(), 0.0);
  EXPECT_EQ(result(objective, {}, 0), 0.0) << "nothing counted yet";
}

TEST(Objective, ExamplesWithALossThatIsNotFiniteAreCounted) {
  Objective objective({.loss = MeanSquaredError{}}, {1});
  const Examples examples{
      .input_shape = {1}, .inputs = {0, 0, 0}, .targets = {1, 0, 1}, .target_shape = {1}};
  std::vector<float> outputs = {0.0F, std::numeric_limits<float>::quiet_NaN(), 3e38F};
  const Sums sums = measured(objective, examples.batch(), outputs);
  EXPECT_EQ(sums.nonfinite, 2U);
  EXPECT_TRUE(std::isnan(sums.loss));
}

TEST(Objective, WeightsCountInTheLossAndInWeightedMetrics) {
  Objective objective({.loss = "mse",
                       .metrics = {"mae"},
                       .weighted_metrics = {"mae", metrics::MeanAbsoluteError{}}},
                      {1});
  const Examples examples{.input_shape = {1},
                          .inputs = {0, 0},
                          .targets = {1, 0},
                          .target_shape = {1},
                          .weights = {3, 1}};
  std::vector<float> outputs = {0.5F, 1.0F};
  const Sums sums = measured(objective, examples.batch(), outputs);
  EXPECT_DOUBLE_EQ(sums.mean_loss(), (3 * 0.25 + 1) / 2) << "divided by examples, not weights";
  const auto results = objective.metrics().results(sums.metrics);
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0], (std::pair<std::string, double>("mae", 0.75)));
  EXPECT_EQ(results[1], (std::pair<std::string, double>("weighted_mae", 2.5 / 4)));
  EXPECT_EQ(results[2], (std::pair<std::string, double>("mean_absolute_error", 2.5 / 4)));
}

}  // namespace
}  // namespace dtrain::inline v0::model
