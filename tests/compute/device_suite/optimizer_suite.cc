#include "device_suite.h"
#include "support/seed.h"

namespace dtrain::inline v0::compute {
namespace {

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

}  // namespace
}  // namespace dtrain::inline v0::compute
