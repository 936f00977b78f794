#include "base/stream_copy.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace dtrain::base {
namespace {

TEST(StreamCopyTest, CopiesAnyLengthBetweenAnyAlignments) {
  std::vector<unsigned char> from(600);
  std::iota(from.begin(), from.end(), 1);
  for (std::size_t to_at : {0, 1, 16, 63}) {
    for (std::size_t from_at : {0, 3, 32}) {
      for (std::size_t bytes : {0, 1, 63, 64, 65, 128, 200, 500}) {
        std::vector<unsigned char> to(700, 0);
        stream_copy(to.data() + to_at, from.data() + from_at, bytes);
        std::vector<unsigned char> expected(700, 0);
        std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(from_at), bytes,
                    expected.begin() + static_cast<std::ptrdiff_t>(to_at));
        ASSERT_EQ(to, expected) << to_at << " " << from_at << " " << bytes;
      }
    }
  }
}

}  // namespace
}  // namespace dtrain::base
