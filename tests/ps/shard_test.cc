#include "ps/shard.h"

#include <gtest/gtest.h>

#include <numeric>

namespace dtrain::inline v0::ps {
namespace {

constexpr Range kSlice{100, 8};

std::vector<float> read(const Snapshot& snapshot) {
  const auto values = snapshot.values->span();
  return {values.begin(), values.end()};
}

std::vector<float> counted_from(float first) {
  std::vector<float> values(kSlice.count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

TEST(Shard, AssignedValuesAreTheFirstVersion) {
  Shard shard(kSlice, Sgd{});
  shard.assign(kSlice, counted_from(1));
  EXPECT_EQ(shard.version(), 0U);
  EXPECT_EQ(read(shard.snapshot()), counted_from(1));
}

TEST(Shard, SnapshotsLieInMemoryOfItsAllocator) {
  int made = 0;
  const auto allocate = [&](std::size_t count) {
    ++made;
    return tensor::Arena(count);
  };
  Shard shard(kSlice, compute::UpdatePlan(Adam{}), allocate);
  EXPECT_EQ(made, 1) << "slots and sums are nobody else's";
  const Snapshot held = shard.snapshot();
  shard.accumulate(kSlice, std::vector<float>(8, 1.0F), 1.0F, true);
  shard.apply_sum({kSlice}, 1.0);
  EXPECT_EQ(made, 2) << "a copy, because a snapshot was held";
}

TEST(Shard, AnUpdateIsTheWeightedMeanOfTheContributions) {
  Shard shard(kSlice, Sgd{.learning_rate = 1.0F});
  shard.accumulate(kSlice, std::vector<float>(8, 1.0F), 3.0F, true);
  shard.accumulate(kSlice, std::vector<float>(8, 5.0F), 1.0F, false);
  shard.apply_sum({kSlice}, 4.0);
  EXPECT_EQ(shard.version(), 1U);
  EXPECT_EQ(read(shard.snapshot()), std::vector<float>(8, -2.0F));
}

TEST(Shard, FinishingRangesAsTheyComeHasTheBitsOfAWholeSum) {
  constexpr Range kLong{40, 10'000};  // several blocks
  constexpr Range kFirst{40, 7'001};
  constexpr Range kRest{7'041, 2'999};
  Shard whole(kLong, Adam{}), pieces(kLong, Adam{});
  std::vector<float> one(kLong.count);
  std::vector<float> other(kLong.count);
  for (std::size_t i = 0; i < kLong.count; ++i) {
    one[i] = 0.37F * static_cast<float>(i % 97);
    other[i] = -0.11F * static_cast<float>(i % 89);
  }
  const auto part = [&](const std::vector<float>& all, Range range) {
    return std::span(all).subspan(range.begin - kLong.begin, range.count);
  };
  for (int step = 0; step < 3; ++step) {
    const Snapshot held = pieces.snapshot();
    whole.accumulate(kLong, one, 3.0F, true);
    whole.accumulate(kLong, other, 5.0F, false);
    whole.apply_sum({kLong}, 8.0);
    pieces.accumulate(kLong, one, 3.0F, true);
    pieces.begin_step({kLong}, 8.0);
    pieces.finish_range(kRest, part(other, kRest), 5.0F, false);
    EXPECT_EQ(pieces.coming().version, pieces.version() + 1);
    pieces.finish_range(kFirst, part(other, kFirst), 5.0F, false);
    pieces.end_update();
  }
  EXPECT_EQ(read(whole.snapshot()), read(pieces.snapshot()));
  EXPECT_EQ(pieces.version(), 3U);
}

TEST(Shard, TheOnlyContributionOfAStepIsAppliedAsItIs) {
  constexpr Range kLong{40, 10'000};
  constexpr Range kFirst{40, 7'001};
  constexpr Range kRest{7'041, 2'999};
  Shard alone(kLong, Adam{}), same(kLong, Adam{}), partial(kLong, Adam{}), half(kLong, Adam{});
  std::vector<float> gradients(kLong.count);
  std::vector<float> halves(kLong.count);
  for (std::size_t i = 0; i < kLong.count; ++i) {
    gradients[i] = 0.37F * static_cast<float>(i % 97);
    halves[i] = 0.5F * gradients[i];
  }
  const auto part = [&](Range range) {
    return std::span(gradients).subspan(range.begin - kLong.begin, range.count);
  };
  for (int step = 0; step < 3; ++step) {
    alone.begin_step({kLong}, 3.0);
    alone.finish_range(kRest, part(kRest), 3.0F, true);
    alone.finish_range(kFirst, part(kFirst), 3.0F, true);
    alone.end_update();
    same.begin_update({kLong});
    same.apply(kLong, gradients);
    same.end_update();
    partial.begin_step({kLong}, 4.0);
    partial.finish_range(kLong, gradients, 2.0F, true);
    partial.end_update();
    half.begin_update({kLong});
    half.apply(kLong, halves);
    half.end_update();
  }
  EXPECT_EQ(read(alone.snapshot()), read(same.snapshot())) << "3 * g / 3 would be rounded twice";
  EXPECT_EQ(read(partial.snapshot()), read(half.snapshot()));
  EXPECT_EQ(alone.version(), 3U);
}

TEST(Shard, AnUpdateThatBreaksOffKeepsTheRest) {
  for (const bool is_read : {false, true}) {
    Shard shard(kSlice, Sgd{.learning_rate = 1.0F});
    shard.assign(kSlice, counted_from(1));
    Snapshot held = shard.snapshot();
    if (!is_read) held = {};
    shard.begin_update({kSlice});
    shard.apply({100, 3}, std::vector<float>(3, 1.0F));
    shard.keep({103, 5});
    shard.end_update();
    EXPECT_EQ(read(shard.snapshot()), (std::vector<float>{0, 1, 2, 4, 5, 6, 7, 8}));
    if (is_read) {
      EXPECT_EQ(read(held), counted_from(1));
    }
  }
}

TEST(Shard, TheFirstContributionStartsTheSumAnew) {
  Shard shard(kSlice, Sgd{.learning_rate = 1.0F});
  for (int step = 0; step < 2; ++step) {
    shard.accumulate(kSlice, std::vector<float>(8, 1.0F), 1.0F, true);
    shard.apply_sum({kSlice}, 1.0);
  }
  EXPECT_EQ(read(shard.snapshot()), std::vector<float>(8, -2.0F));
}

TEST(Shard, ASnapshotStaysWhatItWas) {
  Shard shard(kSlice, Sgd{.learning_rate = 1.0F});
  shard.assign(kSlice, counted_from(0));
  const Snapshot before = shard.snapshot();
  shard.accumulate(kSlice, std::vector<float>(8, 1.0F), 1.0F, true);
  shard.apply_sum({kSlice}, 1.0);
  const Snapshot after = shard.snapshot();
  shard.begin_update();
  shard.apply(kSlice, std::vector<float>(8, 1.0F));
  shard.end_update();
  shard.assign({100, 1}, std::vector<float>{9.0F});
  EXPECT_EQ(read(before), counted_from(0));
  EXPECT_EQ(read(after), counted_from(-1));
  EXPECT_EQ(before.version, 0U);
  EXPECT_EQ(after.version, 1U);
  EXPECT_EQ(read(shard.snapshot())[0], 9.0F);
  EXPECT_EQ(read(shard.snapshot())[1], -1.0F);
}

TEST(Shard, WithoutASnapshotValuesAreUpdatedInPlace) {
  Shard shard(kSlice, Sgd{.learning_rate = 1.0F});
  const float* memory = shard.snapshot().values->span().data();
  shard.accumulate(kSlice, std::vector<float>(8, 1.0F), 1.0F, true);
  shard.apply_sum({kSlice}, 1.0);
  EXPECT_EQ(shard.snapshot().values->span().data(), memory);
}

TEST(Shard, AnUpdateOfSomeRangesLeavesTheOthers) {
  Shard shard(kSlice, Sgd{.learning_rate = 1.0F});
  shard.assign(kSlice, counted_from(0));
  const Snapshot held = shard.snapshot();  // so that the update goes to other memory
  const Range part{102, 2};
  shard.accumulate(part, std::vector<float>(2, 1.0F), 1.0F, true);
  shard.apply_sum({part}, 1.0);
  EXPECT_EQ(read(shard.snapshot()), (std::vector<float>{0, 1, 1, 2, 4, 5, 6, 7}));
}

TEST(Shard, PiecesOfOneUpdateShareItsStep) {
  const Adam adam{.learning_rate = 0.1F};
  Shard whole(kSlice, adam);
  Shard pieces(kSlice, adam);
  const std::vector<float> gradient = counted_from(1);
  for (int step = 0; step < 3; ++step) {
    whole.begin_update();
    whole.apply(kSlice, gradient);
    whole.end_update();
    pieces.begin_update();
    pieces.apply({103, 5}, std::span(gradient).subspan(3));
    pieces.apply({100, 3}, std::span(gradient).first(3));
    pieces.end_update();
  }
  EXPECT_EQ(read(whole.snapshot()), read(pieces.snapshot()));
}

TEST(Shard, AFrozenStateStaysWhatItWas) {
  Shard shard(kSlice, Sgd{.learning_rate = 1.0F, .momentum = 0.5F});
  const auto update = [&] {
    shard.begin_update();
    shard.apply(kSlice, std::vector<float>(8, 1.0F));
    shard.end_update();
  };
  update();
  const Frozen frozen = shard.freeze();
  ASSERT_EQ(frozen.parts.size(), 2U);
  EXPECT_EQ(frozen.version, 1U);
  update();
  shard.accumulate(kSlice, std::vector<float>(8, 1.0F), 1.0F, true);
  shard.apply_sum({kSlice}, 1.0);
  for (const auto& part : frozen.parts) {
    EXPECT_EQ(std::vector<float>(part->span().begin(), part->span().end()),
              std::vector<float>(8, -1.0F));
  }
  EXPECT_EQ(shard.freeze().parts[1]->span()[0], -1.75F);
}

TEST(Shard, ARestoredStateGoesOnAsTheOldOneWould) {
  const Range right{104, 4};
  Shard old(kSlice, Adam{});
  Shard fresh(kSlice, Adam{});
  const auto update = [](Shard& shard) {
    shard.accumulate(kSlice, counted_from(-3), 1.0F, true);
    shard.apply_sum({kSlice}, 1.0);
  };
  update(old);
  update(old);
  const Frozen frozen = old.freeze();
  for (int part = 0; part < 3; ++part) {
    const auto values = frozen.parts[static_cast<std::size_t>(part)]->span();
    fresh.assign({100, 4}, values.first(4), part);
    fresh.assign(right, values.last(4), part);
  }
  fresh.restore_step(old.step());
  EXPECT_EQ(fresh.version(), 0U);
  update(old);
  update(fresh);
  EXPECT_EQ(read(fresh.snapshot()), read(old.snapshot()));
}

}  // namespace
}  // namespace dtrain::inline v0::ps
