#include <cmath>
#include <limits>
#include <numeric>

#include "device_suite.h"
#include "support/seed.h"

namespace dtrain::inline v0::compute {
namespace {

struct LossOutcome {
  Elements losses;
  Elements gradient;
};

constexpr float kDelta = 0.3F;

LossOutcome run_loss(Device& device, LossFunction function, std::size_t rows,
                     const Elements& outputs, const std::vector<std::int32_t>& labels,
                     const Elements& targets, float scale = 1.0F, const Elements& weights = {}) {
  const std::size_t columns = outputs.size() / rows;
  const OnDevice<float> on_outputs(device, outputs), on_targets(device, targets);
  const OnDevice<float> gradient(device, Elements(outputs.size())), losses(device, Elements(rows));
  const OnDevice<std::int32_t> on_labels(device, labels);
  const OnDevice<float> on_weights(device, weights);
  ConstMatrix target_matrix;
  if (!targets.empty()) target_matrix = on_targets.matrix(rows, columns);
  device.loss({.function = function,
               .outputs = on_outputs.matrix(rows, columns),
               .labels = on_labels.span(),
               .targets = target_matrix,
               .weights = on_weights.span(),
               .delta = kDelta,
               .scale = scale,
               .gradient = gradient.matrix(rows, columns),
               .losses = losses.span()});
  return {losses.host(), gradient.host()};
}

// Keras's losses of one row, in double.
double loss_reference(LossFunction function, const std::vector<double>& outputs, std::int32_t label,
                      const Elements& targets) {
  const auto clip = [](double p) { return std::min(std::max(p, 1e-7), 1 - 1e-7); };
  double sum = 0;
  for (const double x : outputs) sum += x;
  double exp_sum = 0;
  for (const double x : outputs) exp_sum += std::exp(x);
  double clip_sum = 0;
  for (const double x : outputs) clip_sum += clip(x);
  double loss = 0;
  double mean = 0;  // times the number of outputs
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const double target = targets.empty() ? (static_cast<std::int32_t>(i) == label ? 1.0 : 0.0)
                                          : static_cast<double>(targets[i]);
    switch (function) {
      case LossFunction::kSparseCrossEntropyLogits:
      case LossFunction::kCrossEntropyLogits:
        loss += target * (std::log(exp_sum) - outputs[i]);
        break;
      case LossFunction::kSparseCrossEntropy:
        loss -= target * std::log(clip(outputs[i]) / clip_sum);
        break;
      case LossFunction::kCrossEntropy:
        loss -= target * std::log(clip(outputs[i] / sum));
        break;
      case LossFunction::kBinaryCrossEntropyLogits:
        mean += std::log1p(std::exp(outputs[i])) - target * outputs[i];
        break;
      case LossFunction::kBinaryCrossEntropy:
        mean -= target * std::log(clip(outputs[i])) + (1 - target) * std::log(1 - clip(outputs[i]));
        break;
      case LossFunction::kSquaredError:
        mean += (outputs[i] - target) * (outputs[i] - target);
        break;
      case LossFunction::kAbsoluteError:
        mean += std::abs(outputs[i] - target);
        break;
      case LossFunction::kHuber: {
        const double error = std::abs(outputs[i] - target);
        const auto delta = static_cast<double>(kDelta);
        mean += error <= delta ? error * error / 2 : delta * error - delta * delta / 2;
        break;
      }
    }
  }
  return loss + mean / static_cast<double>(outputs.size());
}

bool is_sparse(LossFunction function) {
  return function == LossFunction::kSparseCrossEntropyLogits ||
         function == LossFunction::kSparseCrossEntropy;
}

constexpr LossFunction kLosses[] = {LossFunction::kSparseCrossEntropyLogits,
                                    LossFunction::kSparseCrossEntropy,
                                    LossFunction::kCrossEntropyLogits,
                                    LossFunction::kCrossEntropy,
                                    LossFunction::kBinaryCrossEntropyLogits,
                                    LossFunction::kBinaryCrossEntropy,
                                    LossFunction::kSquaredError,
                                    LossFunction::kAbsoluteError,
                                    LossFunction::kHuber};

TEST_P(DeviceSuite, LossesAndTheirGradientsAgreeWithDouble) {
  const std::uint64_t seed = support::seed();
  for (const LossFunction function : kLosses) {
    for (const std::size_t columns : {2UL, 10UL, 600UL}) {
      const std::size_t rows = 67;
      SCOPED_TRACE(testing::Message() << "loss " << static_cast<int>(function) << ", " << columns);
      const Elements outputs = random_floats(rows * columns, seed, 0.05F, 0.95F);
      Elements targets;
      std::vector<std::int32_t> labels;
      if (is_sparse(function)) {
        for (std::size_t row = 0; row < rows; ++row) {
          labels.push_back(static_cast<std::int32_t>(row % columns));
        }
      } else {
        targets = random_floats(rows * columns, seed + 1, 0.0F, 1.0F);
        for (std::size_t row = 0; row < rows; ++row) {
          const auto of_row = std::span(targets).subspan(row * columns, columns);
          const float sum = std::accumulate(of_row.begin(), of_row.end(), 0.0F);
          for (float& target : of_row) target /= sum;
        }
      }
      const LossOutcome got = run_loss(*device_, function, rows, outputs, labels, targets, 0.5F);
      for (std::size_t row = 0; row < rows; ++row) {
        std::vector<double> of_row(columns);
        for (std::size_t i = 0; i < columns; ++i)
          of_row[i] = static_cast<double>(outputs[row * columns + i]);
        const Elements row_targets(
            targets.begin() + static_cast<std::ptrdiff_t>(targets.empty() ? 0 : row * columns),
            targets.begin() +
                static_cast<std::ptrdiff_t>(targets.empty() ? 0 : (row + 1) * columns));
        const std::int32_t label = labels.empty() ? -1 : labels[row];
        const double wanted = loss_reference(function, of_row, label, row_targets);
        ASSERT_NEAR(got.losses[row], wanted, 3e-6 * std::max(1.0, std::abs(wanted)));
        for (std::size_t i = row % 7; i<columns; i += columns> 20 ? 97 : 1) {
          constexpr double kStep = 1e-5;
          const double target = row_targets.empty() ? 0.0 : static_cast<double>(row_targets[i]);
          if (std::abs(of_row[i] - target) < 2 * kStep) continue;  // the absolute error's kink
          std::vector<double> moved = of_row;
          moved[i] += kStep;
          const double above = loss_reference(function, moved, label, row_targets);
          moved[i] -= 2 * kStep;
          const double below = loss_reference(function, moved, label, row_targets);
          const double slope = 0.5 * (above - below) / (2 * kStep);
          ASSERT_NEAR(got.gradient[row * columns + i], slope,
                      1e-5 * std::max(1.0, std::abs(slope)));
        }
      }
    }
  }
}

TEST_P(DeviceSuite, CrossEntropyOfHugeLogitsIsExact) {
  const LossOutcome got =
      run_loss(*device_, LossFunction::kSparseCrossEntropyLogits, 3,
               {1e4F, -1e4F, 0.0F, 1e4F, -1e4F, 0.0F, 3e38F, 3e38F, -3e38F}, {0, 1, 0}, {});
  EXPECT_FLOAT_EQ(got.losses[0], 0.0F);
  EXPECT_FLOAT_EQ(got.losses[1], 2e4F);
  EXPECT_FLOAT_EQ(got.losses[2], std::log(2.0F));
  EXPECT_EQ(got.gradient, (Elements{0.0F, 0.0F, 0.0F, 1.0F, -1.0F, 0.0F, -0.5F, 0.5F, 0.0F}));
}

TEST_P(DeviceSuite, LossOfNanIsNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const LossFunction function : kLosses) {
    const bool sparse = is_sparse(function);
    const LossOutcome got =
        run_loss(*device_, function, 1, {0.2F, nan, 0.3F},
                 sparse ? std::vector<std::int32_t>{0} : std::vector<std::int32_t>{},
                 sparse ? Elements{} : Elements{1.0F, 0.0F, 0.0F});
    EXPECT_TRUE(std::isnan(got.losses[0])) << static_cast<int>(function);
  }
}

TEST_P(DeviceSuite, LossesAreTheSameWithoutAGradient) {
  const std::uint64_t seed = support::seed();
  const std::size_t rows = 5, columns = 700;
  const Elements outputs = random_floats(rows * columns, seed, -3.0F, 3.0F);
  const std::vector<std::int32_t> labels = {0, 1, 2, 3, 699};
  const LossOutcome with =
      run_loss(*device_, LossFunction::kSparseCrossEntropyLogits, rows, outputs, labels, {});
  const OnDevice<float> on_outputs(*device_, outputs), losses(*device_, Elements(rows));
  const OnDevice<std::int32_t> on_labels(*device_, labels);
  device_->loss({.function = LossFunction::kSparseCrossEntropyLogits,
                 .outputs = on_outputs.matrix(rows, columns),
                 .labels = on_labels.span(),
                 .losses = losses.span()});
  EXPECT_EQ(losses.host(), with.losses);
}

TEST_P(DeviceSuite, WeightsMultiplyAnExamplesLossAndGradient) {
  for (const LossFunction function : kLosses) {
    SCOPED_TRACE(static_cast<int>(function));
    const Elements outputs = {0.2F, 0.5F, 0.3F, 0.1F, 0.8F, 0.1F, 0.4F, 0.3F, 0.3F};
    const Elements targets = is_sparse(function) ? Elements{} : Elements{1, 0, 0, 0, 1, 0, 0, 0, 1};
    const std::vector<std::int32_t> labels = {0, 1, 2};
    const LossOutcome plain = run_loss(*device_, function, 3, outputs, labels, targets);
    const LossOutcome got =
        run_loss(*device_, function, 3, outputs, labels, targets, 1.0F, {2.0F, 0.0F, 0.5F});
    EXPECT_EQ(got.losses, (Elements{2 * plain.losses[0], 0.0F, 0.5F * plain.losses[2]}));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const float weight = i < 3 ? 2.0F : i < 6 ? 0.0F : 0.5F;
      EXPECT_FLOAT_EQ(got.gradient[i], weight * plain.gradient[i]) << i;
    }
  }
}

TEST_P(DeviceSuite, MetricsFollowKeras) {
  const OnDevice<float> outputs(*device_, {0.5F, 0.5F, 0.1F, 0.2F, 0.3F, 0.9F});
  const OnDevice<float> targets(*device_, {1.0F, 0.0F, 0.0F, 0.0F, 1.0F, 0.0F});
  const OnDevice<std::int32_t> labels(*device_, std::vector<std::int32_t>{0, 1});
  const OnDevice<float> values(*device_, Elements(2));
  const auto run = [&](MetricFunction function, std::size_t k = 1) {
    device_->metric({.function = function,
                     .outputs = outputs.matrix(2, 3),
                     .labels = labels.span(),
                     .targets = targets.matrix(2, 3),
                     .k = k,
                     .values = values.span()});
    return values.host();
  };
  EXPECT_EQ(run(MetricFunction::kSparseAccuracy), (Elements{1.0F, 0.0F}));
  EXPECT_EQ(run(MetricFunction::kCategoricalAccuracy), (Elements{1.0F, 0.0F}));
  EXPECT_EQ(run(MetricFunction::kSparseTopK), (Elements{1.0F, 0.0F}));
  EXPECT_EQ(run(MetricFunction::kCategoricalTopK, 2), (Elements{1.0F, 1.0F}));
  // 0.5 is not above the threshold.
  EXPECT_FLOAT_EQ(run(MetricFunction::kBinaryAccuracy)[0], 2.0F / 3.0F);
  EXPECT_FLOAT_EQ(run(MetricFunction::kSquaredError)[0], (0.25F + 0.25F + 0.01F) / 3.0F);
  EXPECT_FLOAT_EQ(run(MetricFunction::kAbsoluteError)[1], (0.2F + 0.7F + 0.9F) / 3.0F);
}

}  // namespace
}  // namespace dtrain::inline v0::compute
