#include "compute/optimizer.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <set>

#include "base/philox.h"
#include "compute/dispatch.h"
#include "device_suite/device_suite.h"
#include "dtrain/error.h"
#include "support/seed.h"

namespace dtrain::inline v0::compute {
namespace {

constexpr int kSteps = 50;

struct Range {
  std::size_t begin = 0;
  std::size_t count = 0;
};

/// For comparisons in which NaN equals NaN.
std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
  return bits;
}

std::vector<double> in_double(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

/// 0.999 for 0.999F.
double as_written(float number) { return std::round(static_cast<double>(number) * 1e6) / 1e6; }

// Independent implementations of Keras's update rules, in double.
void reference_step(const Sgd& sgd, int step, double g, double& w, double& m, double& /*v*/) {
  const auto rate = sgd.learning_rate.at(step - 1);
  const auto momentum = static_cast<double>(sgd.momentum);
  if (momentum == 0.0) {
    w -= rate * g;
    return;
  }
  m = momentum * m - rate * g;
  w += sgd.nesterov ? momentum * m - rate * g : m;
}

void reference_step(const Adam& adam, int step, double g, double& w, double& m, double& v) {
  const double beta_1 = as_written(adam.beta_1), beta_2 = as_written(adam.beta_2);
  m = beta_1 * m + (1 - beta_1) * g;
  v = beta_2 * v + (1 - beta_2) * g * g;
  const double m_hat = m / (1 - std::pow(beta_1, step));
  const double v_hat = v / (1 - std::pow(beta_2, step));
  // Keras adds epsilon to the uncorrected root, so here it is divided by the correction.
  const double epsilon = static_cast<double>(adam.epsilon) / std::sqrt(1 - std::pow(beta_2, step));
  w -= adam.learning_rate.at(step - 1) * m_hat / (std::sqrt(v_hat) + epsilon);
}

/// Runs fifty steps of random gradients; keras_test.cc has the other optimizers.
template <typename Kind>
void compare_with_the_reference(const Kind& kind) {
  const std::size_t count = 300;
  const std::uint64_t seed = support::seed();
  const float scale = 0.125F;
  std::vector<float> w = random_floats(count, seed), slot_0(count), slot_1(count);
  std::vector<double> reference = in_double(w), m(count), v(count);
  std::vector<double> largest(count);  // what was rounded on the way, of a value that is small now
  for (int step = 1; step <= kSteps; ++step) {
    const std::vector<float> g =
        random_floats(count, seed + static_cast<std::uint64_t>(step), -8.0F, 8.0F);
    apply(kind, {.step = step,
                 .gradient_scale = scale,
                 .values = w,
                 .updated = w,
                 .gradients = g,
                 .slots = {slot_0, slot_1}});
    for (std::size_t i = 0; i < count; ++i) {
      const double scaled = static_cast<double>(scale) * static_cast<double>(g[i]);
      reference_step(kind, step, scaled, reference[i], m[i], v[i]);
      largest[i] = std::max(largest[i], std::abs(reference[i]));
      ASSERT_NEAR(w[i], reference[i], 1e-5 * std::max(0.1, largest[i]))
          << "step " << step << ", element " << i;
    }
  }
}

TEST(Optimizer, FiftyStepsAgreeWithTheReferenceInDouble) {
  compare_with_the_reference(Sgd{.learning_rate = 0.1F});
  compare_with_the_reference(Sgd{.learning_rate = 0.1F, .momentum = 0.9F});
  compare_with_the_reference(Sgd{.learning_rate = 0.1F, .momentum = 0.9F, .nesterov = true});
  compare_with_the_reference(Adam{});
  compare_with_the_reference(
      Adam{.learning_rate = 0.01F, .beta_1 = 0.8F, .beta_2 = 0.99F, .epsilon = 1e-3F});
}

class OptimizerSlices : public testing::TestWithParam<Optimizer> {};

// Cuts at random places, with slices at odd addresses, values updated in place or elsewhere.
TEST_P(OptimizerSlices, BitsDependOnNeitherSlicesNorInstructionSets) {
  const std::size_t count = 5003;
  const std::uint64_t seed = support::seed();
  base::PhiloxStream numbers(seed, 1);
  const std::vector<float> values = random_floats(count, seed);
  std::vector<float> gradients = random_floats(count, seed + 1);
  const std::array<std::vector<float>, kOptimizerSlotsMax> start = {
      random_floats(count, seed + 2, 0.0F, 1.0F), random_floats(count, seed + 3, 0.0F, 1.0F),
      random_floats(count, seed + 4, 0.0F, 1.0F)};
  const float kinds[] = {0.0F, 1e30F, -1e-30F, 3e38F, 1e-42F, 7.0F};
  for (std::size_t i = 0; i < 600; ++i) gradients[i * 8 + i % 8] = kinds[i % std::size(kinds)];
  const auto run = [&](const KernelTable& kernels, Range range, std::vector<float>& updated,
                       std::array<std::vector<float>, kOptimizerSlotsMax>& slots) {
    OptimizerUpdate update{.step = 7,
                           .gradient_scale = 0.5F,
                           .gradient_limit = 0.75F,
                           .learning_rate_factor = 0.1F,
                           .values = std::span(values).subspan(range.begin, range.count),
                           .updated = std::span(updated).subspan(range.begin, range.count),
                           .gradients = std::span(gradients).subspan(range.begin, range.count)};
    for (std::size_t i = 0; i < slots.size(); ++i) {
      update.slots[i] = std::span(slots[i]).subspan(range.begin, range.count);
    }
    apply_with(kernels, GetParam(), update);
  };
  std::vector<float> whole(count);
  auto whole_slots = start;
  run(kernels_for(InstructionSet::kBaseline), {0, count}, whole, whole_slots);
  ASSERT_NE(whole, values);
  for (const InstructionSet set : supported_instruction_sets()) {
    for (int round = 0; round < 20; ++round) {
      std::set<std::size_t> cuts = {0, count};
      while (cuts.size() < 12) cuts.insert(static_cast<std::size_t>(numbers.below(count)));
      std::vector<float> sliced(count);
      auto slots = start;
      for (auto cut = cuts.begin(); std::next(cut) != cuts.end(); ++cut) {
        run(kernels_for(set), {*cut, *std::next(cut) - *cut}, sliced, slots);
      }
      ASSERT_EQ(bits_of(sliced), bits_of(whole));
      // A slot that is not used stays as it was, in both.
      for (std::size_t i = 0; i < slots.size(); ++i) {
        ASSERT_EQ(bits_of(slots[i]), bits_of(whole_slots[i])) << "slot " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Optimizers, OptimizerSlices,
    testing::Values(
        Sgd{.learning_rate = 0.1F}, Sgd{.learning_rate = 0.1F, .momentum = 0.9F},
        Sgd{.learning_rate = 0.1F, .momentum = 0.9F, .nesterov = true, .weight_decay = 0.1F},
        Adagrad{}, Adadelta{}, RmsProp{}, RmsProp{.momentum = 0.5F}, RmsProp{.centered = true},
        RmsProp{.momentum = 0.5F, .centered = true}, Adam{}, AdamW{.amsgrad = true}, Adamax{},
        Nadam{}, Ftrl{}, Ftrl{.learning_rate_power = -0.7F, .l1_regularization_strength = 0.1F},
        Lion{.weight_decay = 0.1F}));

TEST(Optimizer, BeginSumHasTheBitsOfAccumulateOntoZeros) {
  std::vector<float> gradients = random_floats(1001, support::seed());
  gradients[3] = -0.0F;
  std::vector<float> cleared(gradients.size(), 0.0F);
  accumulate(cleared, gradients, 3.0F);
  std::vector<float> begun(gradients.size(), 7.0F);
  begin_sum(begun, gradients, 3.0F);
  EXPECT_EQ(begun, cleared);
  EXPECT_FALSE(std::signbit(begun[3]));
}

TEST(Optimizer, AccumulateAddsWeightedGradientsWithTheSameBitsInEverySlicing) {
  const std::uint64_t seed = support::seed();
  const std::size_t count = 1001;
  const std::vector<float> start = random_floats(count, seed);
  const std::vector<float> gradients = random_floats(count, seed + 1);
  std::vector<float> whole = start;
  accumulate(whole, gradients, 3.0F);
  std::vector<float> sliced = start;
  for (std::size_t first = 0; first < count; first += 13) {
    const std::size_t length = std::min<std::size_t>(13, count - first);
    accumulate(std::span(sliced).subspan(first, length),
               std::span(gradients).subspan(first, length), 3.0F);
  }
  EXPECT_EQ(sliced, whole);
  for (std::size_t i = 0; i < count; ++i) {
    const double wanted = static_cast<double>(start[i]) + 3.0 * static_cast<double>(gradients[i]);
    ASSERT_NEAR(whole[i], wanted, 1e-6);
  }
}

TEST(Optimizer, SlotsAreCountedByKind) {
  EXPECT_EQ(slot_count(Sgd{}), 0);
  EXPECT_EQ(slot_count(Sgd{.momentum = 0.5F}), 1);
  EXPECT_EQ(slot_count(Adam{}), 2);
  EXPECT_EQ(slot_count(Adam{.amsgrad = true}), 3);
  const Slots slots = slots_of(Ftrl{.initial_accumulator_value = 0.25F});
  ASSERT_EQ(slots.size(), 2U);
  EXPECT_EQ(slots[0].name, std::string("accumulator"));
  EXPECT_EQ(slots[0].initial, 0.25F);
  EXPECT_EQ(slots[1].initial, 0.0F);
}

std::string message_of(const Optimizer& optimizer) {
  try {
    validate(optimizer);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "valid";
}

TEST(Optimizer, EachMistakeNamesItsFieldAndValue) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(message_of(Sgd{}), "valid");
  EXPECT_EQ(message_of(Adam{}), "valid");
  EXPECT_EQ(message_of(Sgd{.learning_rate = -1.0F}),
            "[INVALID_ARGUMENT] Sgd::learning_rate is -1. Give a number of at least 0.");
  EXPECT_EQ(message_of(Sgd{.learning_rate = nan}),
            "[INVALID_ARGUMENT] Sgd::learning_rate is nan. Give a number of at least 0.");
  EXPECT_EQ(message_of(Sgd{.momentum = 1.0F}),
            "[INVALID_ARGUMENT] Sgd::momentum is 1. Give a number in [0, 1).");
  EXPECT_EQ(message_of(Adam{.learning_rate = std::numeric_limits<float>::infinity()}),
            "[INVALID_ARGUMENT] Adam::learning_rate is inf. Give a number of at least 0.");
  EXPECT_EQ(message_of(Adam{.beta_1 = -0.1F}),
            "[INVALID_ARGUMENT] Adam::beta_1 is -0.1. Give a number in [0, 1).");
  EXPECT_EQ(message_of(Adam{.beta_2 = 1.5F}),
            "[INVALID_ARGUMENT] Adam::beta_2 is 1.5. Give a number in [0, 1).");
  EXPECT_EQ(message_of(Adam{.epsilon = 0.0F}),
            "[INVALID_ARGUMENT] Adam::epsilon is 0. Give a number above 0.");
  EXPECT_EQ(message_of(AdamW{.weight_decay = -1.0F}),
            "[INVALID_ARGUMENT] AdamW::weight_decay is -1. Give a number of at least 0.");
  EXPECT_EQ(message_of(Ftrl{.learning_rate_power = 0.5F}),
            "[INVALID_ARGUMENT] Ftrl::learning_rate_power is 0.5. Give a number of at most 0.");
  EXPECT_EQ(message_of(Lion{.beta_1 = 0.0F}),
            "[INVALID_ARGUMENT] Lion::beta_1 is 0. Give a number in (0, 1].");
}

TEST(Optimizer, MistakesInSchedulesNameTheirFieldAndValue) {
  const auto with = [](LearningRate rate) { return message_of(Sgd{.learning_rate = rate}); };
  EXPECT_EQ(with(ExponentialDecay{.initial_learning_rate = 1.0F, .decay_rate = 0.5F}),
            "[INVALID_ARGUMENT] ExponentialDecay::decay_steps is 0. Give a number of at least 1.");
  EXPECT_EQ(with(CosineDecay{.decay_steps = 5, .warmup_target = -1.0F}),
            "[INVALID_ARGUMENT] CosineDecay::warmup_target is -1. Give a number of at least 0.");
  EXPECT_EQ(with(CosineDecayRestarts{.first_decay_steps = 5, .t_mul = 0.5F}),
            "[INVALID_ARGUMENT] CosineDecayRestarts::t_mul is 0.5. Give a number of at least 1.");
  EXPECT_EQ(with(PiecewiseConstantDecay{{1}, {0.5F}}),
            "[INVALID_ARGUMENT] PiecewiseConstantDecay::values has 1 numbers for 1 boundaries. "
            "Give one value more than boundaries.");
  EXPECT_EQ(with(PiecewiseConstantDecay{{5, 5}, {0.5F, 0.25F, 0.125F}}),
            "[INVALID_ARGUMENT] PiecewiseConstantDecay::boundaries[1] is 5 after 5. Give rising "
            "boundaries.");
  EXPECT_EQ(with(PiecewiseConstantDecay{{5}, {0.5F, -0.25F}}),
            "[INVALID_ARGUMENT] PiecewiseConstantDecay::values[1] is -0.25. Give a number of at "
            "least 0.");
}

TEST(Optimizer, TextNamesEveryField) {
  EXPECT_EQ(to_string(Optimizer(Adam{})),
            "Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07, amsgrad=false, "
            "weight_decay=0)");
  EXPECT_EQ(to_string(Optimizer(Sgd{.momentum = 0.5F, .nesterov = true})),
            "Sgd(learning_rate=0.01, momentum=0.5, nesterov=true, weight_decay=0)");
  EXPECT_EQ(to_string(LearningRate(CosineDecay{.initial_learning_rate = 0.1F, .decay_steps = 7})),
            "CosineDecay(initial_learning_rate=0.1, decay_steps=7, alpha=0, warmup_target=none, "
            "warmup_steps=0)");
  EXPECT_EQ(to_string(LearningRate(PiecewiseConstantDecay{{1, 5}, {0.5F, 0.25F, 0.125F}})),
            "PiecewiseConstantDecay(boundaries=[1, 5], values=[0.5, 0.25, 0.125])");
}

}  // namespace
}  // namespace dtrain::inline v0::compute
