#include "device_suite.h"

#include <cmath>
#include <limits>

#include "base/philox.h"
#include "support/seed.h"

namespace dtrain::inline v0::compute {

std::vector<float> random_floats(std::size_t count, std::uint64_t seed, float low, float high) {
  base::PhiloxStream numbers(seed);
  std::vector<float> elements(count);
  for (float& element : elements) element = low + numbers.uniform() * (high - low);
  return elements;
}

namespace {

using Elements = std::vector<float>;

constexpr Activation kElementwise[] = {
    Activation::kLinear, Activation::kRelu,     Activation::kRelu6,    Activation::kLeakyRelu,
    Activation::kElu,    Activation::kSelu,     Activation::kSigmoid,  Activation::kHardSigmoid,
    Activation::kTanh,   Activation::kSoftplus, Activation::kSoftsign, Activation::kExponential,
};

// Keras's definitions, in double.
double reference(Activation activation, double x) {
  switch (activation) {
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kRelu6:
      return std::min(std::max(x, 0.0), 6.0);
    case Activation::kLeakyRelu:
      return x < 0 ? 0.2 * x : x;
    case Activation::kElu:
      return x > 0 ? x : std::expm1(x);
    case Activation::kSelu:
      return 1.05070098 * (x > 0 ? x : 1.67326324 * std::expm1(x));
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::kHardSigmoid:
      return std::min(std::max(x + 3, 0.0), 6.0) / 6;
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kSoftplus:
      return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
    case Activation::kSoftsign:
      return x / (1 + std::abs(x));
    case Activation::kExponential:
      return std::exp(x);
    default:
      return x;
  }
}

Elements activated(Device& device, Activation activation, const Elements& in) {
  const OnDevice<float> x(device, in);
  device.activate(activation, x.matrix(1, in.size()), x.matrix(1, in.size()));
  return x.host();
}

struct ProductCase {
  std::size_t rows, columns, depth;
  bool transpose_a, transpose_b, with_bias;
  Activation activation;
};

Elements product_reference(const ProductCase& c, const Elements& a, const Elements& b,
                           const Elements& bias) {
  Elements out(c.rows * c.columns);
  for (std::size_t i = 0; i < c.rows; ++i) {
    for (std::size_t j = 0; j < c.columns; ++j) {
      double sum = c.with_bias ? static_cast<double>(bias[j]) : 0.0;
      for (std::size_t k = 0; k < c.depth; ++k) {
        const float left = c.transpose_a ? a[k * c.rows + i] : a[i * c.depth + k];
        const float right = c.transpose_b ? b[j * c.depth + k] : b[k * c.columns + j];
        sum += static_cast<double>(left) * static_cast<double>(right);
      }
      out[i * c.columns + j] = static_cast<float>(reference(c.activation, sum));
    }
  }
  return out;
}

Elements run_product(Device& device, const ProductCase& c, const Elements& a, const Elements& b,
                     const Elements& bias) {
  const OnDevice<float> on_a(device, a), on_b(device, b), on_bias(device, bias);
  const OnDevice<float> out(device, Elements(c.rows * c.columns, 7.0F));
  device.product(
      {.a = c.transpose_a ? on_a.matrix(c.depth, c.rows) : on_a.matrix(c.rows, c.depth),
       .b = c.transpose_b ? on_b.matrix(c.columns, c.depth) : on_b.matrix(c.depth, c.columns),
       .transpose_a = c.transpose_a,
       .transpose_b = c.transpose_b,
       .bias = c.with_bias ? std::span<const float>(on_bias.span()) : std::span<const float>(),
       .activation = c.activation,
       .out = out.matrix(c.rows, c.columns)});
  return out.host();
}

struct LossOutcome {
  Elements losses;
  Elements gradient;
};

LossOutcome run_loss(Device& device, LossFunction function, std::size_t rows,
                     const Elements& outputs, const std::vector<std::int32_t>& labels,
                     const Elements& targets, float scale = 1.0F) {
  const std::size_t columns = outputs.size() / rows;
  const OnDevice<float> on_outputs(device, outputs), on_targets(device, targets);
  const OnDevice<float> gradient(device, Elements(outputs.size())), losses(device, Elements(rows));
  const OnDevice<std::int32_t> on_labels(device, labels);
  ConstMatrix target_matrix;
  if (!targets.empty()) target_matrix = on_targets.matrix(rows, columns);
  device.loss({.function = function,
               .outputs = on_outputs.matrix(rows, columns),
               .labels = on_labels.span(),
               .targets = target_matrix,
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
      case LossFunction::kSquaredError:
        loss += (outputs[i] - target) * (outputs[i] - target) / static_cast<double>(outputs.size());
        break;
    }
  }
  return loss;
}

bool is_sparse(LossFunction function) {
  return function == LossFunction::kSparseCrossEntropyLogits ||
         function == LossFunction::kSparseCrossEntropy;
}

constexpr LossFunction kLosses[] = {
    LossFunction::kSparseCrossEntropyLogits, LossFunction::kSparseCrossEntropy,
    LossFunction::kCrossEntropyLogits, LossFunction::kCrossEntropy, LossFunction::kSquaredError};

TEST_P(DeviceSuite, ProductsAgreeWithSumsInDouble) {
  const std::uint64_t seed = support::seed();
  const ProductCase cases[] = {
      {1, 1, 1, false, false, false, Activation::kLinear},
      {1, 10, 128, false, false, true, Activation::kLinear},
      {3, 5, 7, true, true, true, Activation::kTanh},
      {64, 128, 64, false, false, true, Activation::kRelu},
      {64, 10, 128, false, false, true, Activation::kLinear},
      {65, 33, 300, true, false, false, Activation::kLinear},
      {70, 701, 513, false, true, true, Activation::kSigmoid},
      {601, 97, 259, false, false, true, Activation::kElu},
      {200, 97, 31, true, true, false, Activation::kLinear},
      {301, 1, 237, false, false, true, Activation::kRelu},
      {90, 1, 700, false, true, false, Activation::kLinear},
      {333, 1, 70, true, false, true, Activation::kTanh},
      {20, 1, 500, true, true, false, Activation::kLinear},
      {130, 3, 400, false, false, true, Activation::kLinear},
      {2100, 1, 260, false, false, true, Activation::kLinear},
      {2100, 1, 260, true, false, false, Activation::kLinear},
      {41, 70, 1, false, true, true, Activation::kRelu},
      {1100, 490, 1, true, false, false, Activation::kLinear},
  };
  for (const ProductCase& c : cases) {
    SCOPED_TRACE(testing::Message() << c.rows << " x " << c.columns << " x " << c.depth);
    const Elements a = random_floats(c.rows * c.depth, seed);
    const Elements b = random_floats(c.depth * c.columns, seed + 1);
    const Elements bias = random_floats(c.columns, seed + 2);
    const Elements got = run_product(*device_, c, a, b, bias);
    const Elements wanted = product_reference(c, a, b, bias);
    const double tolerance = 1e-6 * std::sqrt(static_cast<double>(c.depth)) + 1e-6;
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], wanted[i], tolerance * std::max(1.0F, std::abs(wanted[i]))) << i;
    }
    EXPECT_EQ(got, run_product(*device_, c, a, b, bias)) << "a second run has other bits";
  }
}

TEST_P(DeviceSuite, ColumnSumsAddEveryRow) {
  const std::uint64_t seed = support::seed();
  for (const std::size_t columns : {1UL, 10UL, 1000UL}) {
    const std::size_t rows = 70;
    const Elements in = random_floats(rows * columns, seed);
    const OnDevice<float> x(*device_, in), out(*device_, Elements(columns, 3.0F));
    device_->column_sums(x.matrix(rows, columns), out.span());
    const Elements sums = out.host();
    for (std::size_t column = 0; column < columns; ++column) {
      double sum = 0;
      for (std::size_t row = 0; row < rows; ++row)
        sum += static_cast<double>(in[row * columns + column]);
      ASSERT_NEAR(sums[column], sum, 1e-5);
    }
  }
}

TEST_P(DeviceSuite, ActivationsHaveKerasValues) {
  const std::uint64_t seed = support::seed();
  Elements in = random_floats(2000, seed, -10.0F, 10.0F);
  for (const float special :
       {0.0F, -0.0F, 1e-4F, -1e-4F, 1e-6F, -1e-6F, 0.25F, -0.25F, 30.0F, -30.0F, 80.0F, -80.0F}) {
    in.push_back(special);
  }
  for (const Activation activation : kElementwise) {
    const Elements out = activated(*device_, activation, in);
    for (std::size_t i = 0; i < in.size(); ++i) {
      const double wanted = reference(activation, static_cast<double>(in[i]));
      ASSERT_NEAR(out[i], wanted, 1e-6 * std::abs(wanted) + 1e-30)
          << activation_name(activation) << " of " << in[i];
    }
  }
}

TEST_P(DeviceSuite, ActivationsKeepNanAndReachTheirLimits) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const Activation activation : kElementwise) {
    EXPECT_TRUE(std::isnan(activated(*device_, activation, Elements(9, kNan))[8]))
        << activation_name(activation);
  }
  const Elements in = {1000.0F, -1000.0F, kInfinity, -kInfinity};
  EXPECT_EQ(activated(*device_, Activation::kExponential, in),
            (Elements{kInfinity, 0.0F, kInfinity, 0.0F}));
  EXPECT_EQ(activated(*device_, Activation::kTanh, in), (Elements{1.0F, -1.0F, 1.0F, -1.0F}));
  EXPECT_EQ(activated(*device_, Activation::kSigmoid, in), (Elements{1.0F, 0.0F, 1.0F, 0.0F}));
  EXPECT_EQ(activated(*device_, Activation::kElu, {-1000.0F, 1000.0F}), (Elements{-1.0F, 1000.0F}));
  EXPECT_EQ(activated(*device_, Activation::kSoftplus, {-1000.0F, 1000.0F}),
            (Elements{0.0F, 1000.0F}));
}

TEST_P(DeviceSuite, ActivationGradientsAreTheSlopes) {
  const std::uint64_t seed = support::seed();
  const Elements in = random_floats(500, seed, -7.0F, 7.0F);
  const Elements out_gradient = random_floats(500, seed + 1);
  for (const Activation activation : kElementwise) {
    const OnDevice<float> out(*device_, activated(*device_, activation, in));
    const OnDevice<float> gradient(*device_, out_gradient);
    device_->activate_backward(activation, out.matrix(1, 500), gradient.matrix(1, 500),
                               gradient.matrix(1, 500));
    const Elements got = gradient.host();
    for (std::size_t i = 0; i < in.size(); ++i) {
      constexpr double kStep = 1e-5;
      const auto x = static_cast<double>(in[i]);
      // At a kink the two sides differ: such points prove nothing.
      if (std::abs(x) < 1e-4 || std::abs(std::abs(x) - 3) < 1e-4 || std::abs(x - 6) < 1e-4)
        continue;
      const double slope =
          (reference(activation, x + kStep) - reference(activation, x - kStep)) / (2 * kStep);
      const double wanted = slope * static_cast<double>(out_gradient[i]);
      ASSERT_NEAR(got[i], wanted, 2e-5 * std::abs(wanted) + 1e-6)
          << activation_name(activation) << " at " << x;
    }
  }
}

TEST_P(DeviceSuite, SoftmaxAndItsGradientAgreeWithDouble) {
  const std::uint64_t seed = support::seed();
  for (const std::size_t columns : {1UL, 2UL, 10UL, 300UL}) {
    const std::size_t rows = 130;
    const Elements in = random_floats(rows * columns, seed, -5.0F, 5.0F);
    const Elements out_gradient = random_floats(rows * columns, seed + 1);
    const OnDevice<float> x(*device_, in), gradient(*device_, out_gradient);
    device_->activate(Activation::kSoftmax, x.matrix(rows, columns), x.matrix(rows, columns));
    device_->activate_backward(Activation::kSoftmax, x.matrix(rows, columns),
                               gradient.matrix(rows, columns), gradient.matrix(rows, columns));
    const Elements out = x.host(), got = gradient.host();
    for (std::size_t row = 0; row < rows; ++row) {
      double sum = 0, dot = 0;
      std::vector<double> p(columns);
      for (std::size_t i = 0; i < columns; ++i) {
        p[i] = std::exp(static_cast<double>(in[row * columns + i]));
        sum += p[i];
      }
      for (std::size_t i = 0; i < columns; ++i) {
        p[i] /= sum;
        dot += p[i] * static_cast<double>(out_gradient[row * columns + i]);
        ASSERT_NEAR(out[row * columns + i], p[i], 2e-6 * p[i]);
      }
      for (std::size_t i = 0; i < columns; ++i) {
        const double wanted = p[i] * (static_cast<double>(out_gradient[row * columns + i]) - dot);
        ASSERT_NEAR(got[row * columns + i], wanted, 1e-6);
      }
    }
  }
}

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
        targets = random_floats(rows * columns, seed + 1, 0.0F, 2.0F / static_cast<float>(columns));
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

TEST_P(DeviceSuite, DropoutDrawsPhiloxNumbersPerExample) {
  const std::size_t rows = 40, columns = 77;
  const std::vector<std::uint64_t> examples = [] {
    std::vector<std::uint64_t> indices;
    for (std::uint64_t i = 0; i < rows; ++i) indices.push_back(i * 0x100000003ULL);
    return indices;
  }();
  const OnDevice<float> in(*device_, Elements(rows * columns, 1.0F));
  const OnDevice<std::uint64_t> indices(*device_, examples);
  const std::uint64_t key = support::seed();
  device_->dropout({.rate = 0.3F,
                    .key = key,
                    .step = 12,
                    .example_indices = indices.span(),
                    .in = in.matrix(rows, columns),
                    .out = in.matrix(rows, columns)});
  const Elements out = in.host();
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t i = 0; i < columns; ++i) {
      const auto words = base::philox(
          {static_cast<std::uint32_t>(i / 4), 12, static_cast<std::uint32_t>(examples[row]),
           static_cast<std::uint32_t>(examples[row] >> 32)},
          {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)});
      const bool drops =
          static_cast<double>(words[i % 4]) < std::floor(static_cast<double>(0.3F) * 4294967296.0);
      ASSERT_EQ(out[row * columns + i], drops ? 0.0F : 1.0F / (1.0F - 0.3F)) << row << ", " << i;
    }
  }
}

TEST_P(DeviceSuite, MetricsFollowKeras) {
  const OnDevice<float> outputs(*device_, {0.5F, 0.5F, 0.1F, 0.2F, 0.3F, 0.9F});
  const OnDevice<float> targets(*device_, {1.0F, 0.0F, 0.0F, 0.0F, 1.0F, 0.0F});
  const OnDevice<std::int32_t> labels(*device_, std::vector<std::int32_t>{0, 1});
  const OnDevice<float> values(*device_, Elements(2));
  const auto run = [&](MetricFunction function) {
    device_->metric({.function = function,
                     .outputs = outputs.matrix(2, 3),
                     .labels = labels.span(),
                     .targets = targets.matrix(2, 3),
                     .values = values.span()});
    return values.host();
  };
  EXPECT_EQ(run(MetricFunction::kSparseAccuracy), (Elements{1.0F, 0.0F}));
  EXPECT_EQ(run(MetricFunction::kCategoricalAccuracy), (Elements{1.0F, 0.0F}));
  // 0.5 is not above the threshold.
  EXPECT_FLOAT_EQ(run(MetricFunction::kBinaryAccuracy)[0], 2.0F / 3.0F);
  EXPECT_FLOAT_EQ(run(MetricFunction::kSquaredError)[0], (0.25F + 0.25F + 0.01F) / 3.0F);
  EXPECT_FLOAT_EQ(run(MetricFunction::kAbsoluteError)[1], (0.2F + 0.7F + 0.9F) / 3.0F);
}

TEST_P(DeviceSuite, RowsAreGatheredAndSummedInOrder) {
  const std::size_t count = 5000, columns = 9;
  const Elements table = random_floats(7 * columns, 1);
  std::vector<std::int64_t> rows(count);
  for (std::size_t i = 0; i < count; ++i) rows[i] = static_cast<std::int64_t>(i * i % 7);
  const OnDevice<float> on_table(*device_, table), gathered(*device_, Elements(count * columns));
  const OnDevice<std::int64_t> on_rows(*device_, rows);
  device_->gather_rows(on_table.matrix(7, columns), on_rows.span(),
                       gathered.matrix(count, columns));
  const Elements out = gathered.host();
  Elements wanted(7 * columns);  // 0 where no row goes, whatever was there
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < columns; ++c) {
      const std::size_t at = static_cast<std::size_t>(rows[i]) * columns + c;
      ASSERT_EQ(out[i * columns + c], table[at]);
      wanted[at] += out[i * columns + c];
    }
  }
  device_->sum_rows(gathered.matrix(count, columns), on_rows.span(), on_table.matrix(7, columns));
  EXPECT_EQ(on_table.host(), wanted);
}

TEST_P(DeviceSuite, OptimizerStepHasTheBitsOfApply) {
  const std::uint64_t seed = support::seed();
  const std::size_t count = 70'001;
  const Elements values = random_floats(count, seed);
  const Elements gradients = random_floats(count, seed + 1);
  const Optimizer optimizers[] = {Sgd{},
                                  Sgd{.momentum = 0.9F},
                                  Sgd{.momentum = 0.9F, .nesterov = true},
                                  Adagrad{},
                                  Adadelta{},
                                  RmsProp{.momentum = 0.5F, .centered = true},
                                  Adam{},
                                  AdamW{},
                                  Adam{.amsgrad = true},
                                  Adamax{},
                                  Nadam{},
                                  Ftrl{},
                                  Lion{}};
  for (const Optimizer& optimizer : optimizers) {
    OptimizerUpdate update{
        .step = 3, .gradient_scale = 0.25F, .gradient_limit = 0.2F, .learning_rate_factor = 0.5F};
    const Slots slots = slots_of(optimizer);
    const auto first = [&](std::size_t slot) {
      return Elements(count, slot < slots.size() ? slots[slot].initial : 0.0F);
    };
    Elements wanted = values, slot_0 = first(0), slot_1 = first(1), slot_2 = first(2);
    update.values = update.updated = wanted;
    update.gradients = gradients;
    update.slots = {slot_0, slot_1, slot_2};
    compute::apply(optimizer, update);
    const OnDevice<float> on_values(*device_, values), on_gradients(*device_, gradients);
    const OnDevice<float> on_0(*device_, first(0)), on_1(*device_, first(1)),
        on_2(*device_, first(2));
    update.values = update.updated = on_values.span();
    update.gradients = on_gradients.span();
    update.slots = {on_0.span(), on_1.span(), on_2.span()};
    device_->optimizer_step(optimizer, update);
    EXPECT_EQ(on_values.host(), wanted) << to_string(optimizer);
    EXPECT_EQ(on_0.host(), slot_0) << to_string(optimizer);
    EXPECT_EQ(on_1.host(), slot_1) << to_string(optimizer);
    EXPECT_EQ(on_2.host(), slot_2) << to_string(optimizer);
  }
}

TEST_P(DeviceSuite, SquaresAreAddedExactly) {
  const Elements values = random_floats(70'001, support::seed());
  SquareSum wanted, sum;
  wanted.add(values);
  const OnDevice<float> on_values(*device_, values);
  device_->add_squares(on_values.span().first(30'000), sum);
  device_->add_squares(on_values.span().subspan(30'000), sum);
  EXPECT_EQ(sum.value(), wanted.value());
}

TEST_P(DeviceSuite, MemoryIsZeroAtFirstAndCanBeFilledCopiedAndSummed) {
  const auto memory = device_->allocate(100 * sizeof(float));
  const std::span<float> elements(static_cast<float*>(memory.get()), 100);
  Elements host(100, 5.0F);
  device_->download(host.data(), elements.data(), elements.size_bytes());
  EXPECT_EQ(host, Elements(100, 0.0F));
  device_->fill(elements, 2.0F);
  const OnDevice<float> other(*device_, Elements(100, 1.0F));
  device_->accumulate(other.span(), elements, 0.5F);
  device_->copy(other.span(), elements);
  device_->synchronize();
  device_->download(host.data(), elements.data(), elements.size_bytes());
  EXPECT_EQ(host, Elements(100, 2.0F));
}

}  // namespace
}  // namespace dtrain::inline v0::compute
