#include "compute/dispatch.h"

#include <gtest/gtest.h>

#include <string>

namespace dtrain::inline v0::compute {
namespace {

TEST(Dispatch, BaselineRunsEverywhereAndTheLastSetIsTheBest) {
  const auto sets = supported_instruction_sets();
  ASSERT_FALSE(sets.empty());
  EXPECT_EQ(sets.front(), InstructionSet::kBaseline);
  EXPECT_EQ(&kernels_for(InstructionSet::kBaseline), &kBaselineKernels);
  EXPECT_EQ(&best_kernels(), &kernels_for(sets.back()));
}

TEST(Dispatch, EveryTableNamesItself) {
  EXPECT_EQ(std::string(kBaselineKernels.name), "baseline");
#if defined(__x86_64__)
  EXPECT_EQ(std::string(kAvx2Kernels.name), "avx2");
  EXPECT_EQ(std::string(kAvx512Kernels.name), "avx512");
#endif
}

}  // namespace
}  // namespace dtrain::inline v0::compute
