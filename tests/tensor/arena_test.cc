#include "tensor/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

namespace dtrain::inline v0::tensor {
namespace {

TEST(Arena, IsAlignedAndZero) {
  for (const std::size_t count : {1U, 17U, 1000U}) {
    const Arena arena(count);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena.span().data()) % kArenaAlignmentBytes, 0U);
    ASSERT_EQ(arena.span().size(), count);
    for (const float value : arena.span()) EXPECT_EQ(value, 0.0F);
  }
}

TEST(Arena, MovesItsMemory) {
  Arena first(4);
  first.span()[2] = 7.0F;
  const float* memory = first.span().data();
  const Arena second = std::move(first);
  EXPECT_EQ(second.span().data(), memory);
  EXPECT_EQ(second.span()[2], 7.0F);
}

TEST(Arena, SharedOnesAreOrdinaryToTheirUserAndStartAtDifferentPlacesOfTheirPages) {
  Arena first = Arena::shared(5000);
  const Arena second = Arena::shared(5000);
  ASSERT_TRUE(first.memory() && second.memory());
  for (const Arena* arena : {&std::as_const(first), &second}) {
    const auto address = reinterpret_cast<std::uintptr_t>(arena->span().data());
    EXPECT_EQ(address % kArenaAlignmentBytes, 0U);
    ASSERT_EQ(arena->span().size(), 5000U);
    for (const float value : arena->span()) ASSERT_EQ(value, 0.0F);
  }
  const auto offset = [](const Arena& arena) {
    return reinterpret_cast<std::uintptr_t>(arena.span().data()) % 4096;
  };
  EXPECT_NE(offset(first), offset(second));
  first.span()[4999] = 7.0F;
  first = Arena(3);  // Gives the memory back.
  EXPECT_EQ(first.memory(), nullptr);
  EXPECT_EQ(first.span()[2], 0.0F);
}

TEST(Arena, SmallOnesAreNotWorthSharing) { EXPECT_EQ(Arena::shared(100).memory(), nullptr); }

TEST(Arena, MayBeEmpty) {
  EXPECT_TRUE(Arena().span().empty());
  EXPECT_TRUE(Arena(0).span().empty());
}

}  // namespace
}  // namespace dtrain::inline v0::tensor
