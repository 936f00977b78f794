// Optimizers and schedules against what Keras computes in float32: keras_golden.py writes the
// numbers.
#include <gtest/gtest.h>

#include <cmath>

#include "compute/update_plan.h"

namespace dtrain::inline v0::compute {
namespace {

struct KerasOptimizer {
  Optimizer optimizer;
  std::vector<float> first;  ///< Values after step 1,
  std::vector<float> last;   ///< and after all.
  std::vector<std::pair<std::string, std::vector<float>>> slots;
};

struct KerasSchedule {
  LearningRate rate;
  std::vector<float> rates;
};

struct KerasClipping {
  Clipping clipping;
  std::vector<float> last;
};

#include "keras_golden.inc"

/// Rounding differs: Keras computes corrections such as 1 - beta^t in float32, we do in double.
constexpr double kTolerance = 1e-6;

void expect_near(const std::vector<float>& ours, const std::vector<float>& keras,
                 const std::string& what) {
  ASSERT_EQ(ours.size(), keras.size()) << what;
  for (std::size_t i = 0; i < keras.size(); ++i) {
    EXPECT_NEAR(ours[i], keras[i], kTolerance * std::abs(static_cast<double>(keras[i])))
        << what << ", element " << i;
  }
}

TEST(Keras, OptimizersGiveItsValuesAndSlots) {
  for (const KerasOptimizer& keras : kOptimizers) {
    const std::string what = to_string(keras.optimizer);
    std::vector<float> values = kStart;
    std::array<std::vector<float>, kOptimizerSlotsMax> memory;
    OptimizerUpdate update{.values = values, .updated = values};
    const Slots slots = slots_of(keras.optimizer);
    ASSERT_EQ(slots.size(), keras.slots.size()) << what;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      memory[i].assign(values.size(), slots[i].initial);
      update.slots[i] = memory[i];
    }
    for (std::size_t step = 1; step <= kGradients.size(); ++step) {
      update.step = static_cast<std::int64_t>(step);
      update.gradients = kGradients[step - 1];
      compute::apply(keras.optimizer, update);
      if (step == 1) expect_near(values, keras.first, what + ", step 1");
    }
    expect_near(values, keras.last, what + ", last step");
    for (std::size_t i = 0; i < slots.size(); ++i) {
      EXPECT_EQ(slots[i].name, keras.slots[i].first) << what;
      expect_near(memory[i], keras.slots[i].second, what + ", slot " + slots[i].name);
    }
  }
}

TEST(Keras, SchedulesGiveItsRates) {
  for (const KerasSchedule& keras : kSchedules) {
    for (std::size_t i = 0; i < kAt.size(); ++i) {
      EXPECT_NEAR(keras.rate.at(kAt[i]), keras.rates[i], kTolerance * 0.1)
          << to_string(keras.rate) << " at " << kAt[i];
    }
  }
}

TEST(Keras, ClippingGivesItsValues) {
  // Two variables of three elements each, which lie at 0 and at 16.
  const tensor::Layout layout =
      tensor::Layout::plan({{.name = "a", .shape = {3}}, {.name = "b", .shape = {3}}});
  const auto spread = [&](const std::vector<float>& packed) {
    std::vector<float> elements(layout.count());
    std::copy_n(packed.begin(), 3, elements.begin());
    std::copy_n(packed.begin() + 3, 3, elements.begin() + 16);
    return elements;
  };
  for (const KerasClipping& keras : kClippings) {
    const UpdatePlan plan(layout, Sgd{.learning_rate = 0.1F}, {.clipping = keras.clipping});
    std::vector<float> values = spread(kStart);
    for (const std::vector<float>& packed : kGradients) {
      const std::vector<float> gradients = spread(packed);
      const auto factors =
          plan.clip_factors(layout, 1.0, [&](std::size_t begin, std::size_t count, SquareSum& sum) {
            sum.add(std::span(gradients).subspan(begin, count));
          });
      plan.for_each_part(0, {.values = values, .updated = values, .gradients = gradients}, factors,
                         [&](const auto& part) { compute::apply(plan.optimizer(), part); });
    }
    expect_near(values, spread(keras.last), to_string(UpdateRules{.clipping = keras.clipping}));
  }
}

}  // namespace
}  // namespace dtrain::inline v0::compute
