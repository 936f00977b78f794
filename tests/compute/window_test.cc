#include "compute/window.h"

#include <gtest/gtest.h>

namespace dtrain::inline v0::compute {
namespace {

struct Case {
  std::size_t in, window, stride, dilation, out, padding;
};

void expect_axis(WindowPadding padding, const Case& c) {
  const WindowAxis axis =
      window_axis(c.in, c.window, padding, {.stride = c.stride, .dilation = c.dilation});
  EXPECT_EQ(axis.out, c.out) << c.in << ", " << c.window << ", " << c.stride << ", " << c.dilation;
  EXPECT_EQ(axis.padding, c.padding)
      << c.in << ", " << c.window << ", " << c.stride << ", " << c.dilation;
}

TEST(WindowAxis, ThatIsValidLiesInside) {
  for (const Case& c : {Case{28, 3, 1, 1, 26, 0}, Case{7, 3, 2, 1, 3, 0}, Case{8, 3, 2, 1, 3, 0},
                        Case{8, 3, 1, 2, 4, 0}, Case{3, 3, 1, 1, 1, 0}, Case{2, 3, 1, 1, 0, 0},
                        Case{5, 1, 3, 1, 2, 0}}) {
    expect_axis(WindowPadding::kValid, c);
  }
}

// What is missing is shared; an odd one goes behind.
TEST(WindowAxis, ThatIsSameHasAnOutputPerStride) {
  for (const Case& c : {Case{28, 3, 1, 1, 28, 1}, Case{7, 3, 2, 1, 4, 1}, Case{8, 3, 2, 1, 4, 0},
                        Case{8, 4, 1, 1, 8, 1}, Case{8, 3, 1, 3, 8, 3}, Case{5, 2, 2, 1, 3, 0},
                        Case{5, 1, 3, 1, 2, 0}, Case{2, 5, 1, 1, 2, 2}, Case{1, 2, 1, 1, 1, 0}}) {
    expect_axis(WindowPadding::kSame, c);
  }
}

TEST(WindowAxis, ThatIsCausalReadsNothingBehindItsPlace) {
  for (const Case& c : {Case{10, 3, 1, 1, 10, 2}, Case{10, 3, 1, 4, 10, 8}, Case{10, 3, 2, 1, 5, 2},
                        Case{9, 2, 2, 1, 5, 1}}) {
    expect_axis(WindowPadding::kCausal, c);
  }
}

}  // namespace
}  // namespace dtrain::inline v0::compute
