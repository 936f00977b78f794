#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/philox.h"
#include "dtrain/examples.h"
#include "support/seed.h"

namespace dtrain::inline v0 {
namespace {

std::vector<std::string> all(const Strings& strings) {
  return {strings.views().begin(), strings.views().end()};
}

TEST(Strings, KeepWhatTheyAreGivenWhateverItsLength) {
  base::PhiloxStream random(support::seed());
  Strings strings;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::string> expected;
    for (int i = 0; i < 500; ++i) {
      const std::size_t length = random.below(i % 100 == 0 ? 3'000'000 : 100);
      expected.emplace_back(length, static_cast<char>('a' + random.below(26)));
      strings.add(expected.back());
    }
    EXPECT_TRUE(all(strings) == expected);
    strings.clear();
    EXPECT_EQ(strings.size(), 0U);
  }
}

TEST(Strings, SetReplacesAndResizeAddsEmptyOnes) {
  Strings strings{"a", "b"};
  strings.resize(3);
  strings.set(0, "another");
  EXPECT_EQ(all(strings), (std::vector<std::string>{"another", "b", ""}));
  strings.set(2, strings[0]);
  strings.resize(1);
  EXPECT_EQ(all(strings), (std::vector<std::string>{"another"}));
}

TEST(Strings, CopiesOwnTheirBytesAndMovesKeepThem) {
  Strings copy;
  Strings moved;
  {
    Strings first{"a string that is not short", "b"};
    copy = first;
    EXPECT_NE(copy[0].data(), first[0].data());
    const char* const bytes = first[0].data();
    moved = std::move(first);
    EXPECT_EQ(moved[0].data(), bytes);
  }
  EXPECT_EQ(all(copy), all(moved));
  Strings taken = std::move(copy);
  copy.add("c");  // NOLINT: a moved-from one is empty and good
  EXPECT_EQ(all(copy), (std::vector<std::string>{"c"}));
  EXPECT_EQ(taken.size(), 2U);
}

}  // namespace
}  // namespace dtrain::inline v0
