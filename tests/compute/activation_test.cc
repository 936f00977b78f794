#include "compute/activation.h"

#include <gtest/gtest.h>

#include <string>

#include "dtrain/error.h"

namespace dtrain::inline v0::compute {
namespace {

TEST(Activation, IsFoundByItsName) {
  for (int kind = 0; kind <= static_cast<int>(Activation::kSoftmax); ++kind) {
    const auto activation = static_cast<Activation>(kind);
    EXPECT_EQ(activation_from_name(activation_name(activation)), activation);
  }
  EXPECT_EQ(activation_from_name("swish"), Activation::kSilu);
  EXPECT_EQ(activation_from_name("hard_swish"), Activation::kHardSilu);
}

TEST(Activation, ThatIsUnknownIsRefusedWithTheNames) {
  try {
    activation_from_name("relux");
    FAIL();
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("[INVALID_ARGUMENT] there is no activation \"relux\". Give one of linear, "
                        "relu, relu6,"),
              std::string::npos)
        << what;
  }
}

TEST(Activation, OverRowsOrFromTheInputIsNotFused) {
  EXPECT_TRUE(activation_can_be_fused(Activation::kRelu));
  EXPECT_FALSE(activation_can_be_fused(Activation::kGelu));
  EXPECT_FALSE(activation_can_be_fused(Activation::kSoftmax));
  EXPECT_FALSE(activation_can_be_fused(Activation::kLogSoftmax));
}

}  // namespace
}  // namespace dtrain::inline v0::compute
