#include "ps/row_shard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "ps/row_placement.h"
#include "tensor/initializer.h"

namespace dtrain::inline v0::ps {
namespace {

constexpr Range kSlice{100, 50};
const RowTable kTable{.name = "t", .rows = 1000, .width = 3, .seed = 5};

std::vector<float> read(const RowShard& shard, Range rows) {
  std::vector<float> values(rows.count * shard.width());
  shard.read(rows, values);
  return values;
}

void add(RowShard& shard, std::uint64_t row, const std::vector<float>& gradient, float weight) {
  shard.accumulate(std::span(&row, 1), gradient, weight);
}

std::vector<float> whole_table(const RowTable& table) {
  std::vector<float> values(static_cast<std::size_t>(table.rows * table.width));
  tensor::initialize(table.initializer, {table.rows, table.width}, table.seed, table.name, values);
  return values;
}

TEST(RowShard, FirstValuesAreThoseOfTheWholeTableWhoeverHoldsThem) {
  for (const Initializer& initializer :
       {Initializer(RandomUniform{}), Initializer(RandomNormal{.seed = 8}),
        Initializer(TruncatedNormal{}), Initializer(GlorotUniform{}), Initializer(Ones{})}) {
    RowTable table = kTable;
    table.initializer = initializer;
    const std::vector<float> expected = whole_table(table);
    for (const int servers : {1, 7}) {
      std::vector<float> values;
      for (int server = 0; server < servers; ++server) {
        const Range slice = RowPlacement(1000, servers).slice(server);
        const std::vector<float> part = read(RowShard(table, slice, Sgd{}), slice);
        values.insert(values.end(), part.begin(), part.end());
      }
      EXPECT_EQ(values, expected);
    }
  }
}

TEST(RowShard, ReadingWritesNothing) {
  RowShard shard(kTable, kSlice, Sgd{.learning_rate = 1.0F});
  const std::vector<float> before = read(shard, kSlice);
  EXPECT_FALSE(shard.written(100));
  add(shard, 100, std::vector<float>(3, 0.0F), 1.0F);
  shard.apply_sum(1, 1.0F);
  EXPECT_TRUE(shard.written(100));
  EXPECT_FALSE(shard.written(101));
  EXPECT_EQ(read(shard, kSlice), before);
}

TEST(RowShard, AnUpdateIsTheWeightedMeanOfEachRow) {
  RowTable table = kTable;
  table.initializer = Zeros{};
  RowShard shard(table, kSlice, Sgd{.learning_rate = 1.0F});
  add(shard, 149, std::vector<float>{1, 2, 3}, 3.0F);
  add(shard, 100, std::vector<float>{8, 8, 8}, 1.0F);
  add(shard, 149, std::vector<float>{5, 6, 7}, 1.0F);
  EXPECT_EQ(shard.rows_in_sum(), 2U);
  shard.apply_sum(1, 0.25F);
  EXPECT_EQ(read(shard, {149, 1}), (std::vector<float>{-2, -3, -4}));
  EXPECT_EQ(read(shard, {100, 2}), (std::vector<float>{-2, -2, -2, 0, 0, 0}));
  EXPECT_EQ(shard.rows_in_sum(), 0U);
}

TEST(RowShard, RowsThatLieAnywhereAreUpdatedAsEachAlone) {
  RowTable table = kTable;
  table.width = 700;  // so that some blocks hold a few rows
  const Optimizer adam = Adam{};
  RowShard together(table, kSlice, adam), alone(table, kSlice, adam);
  const std::vector<std::uint64_t> rows{100, 101, 107, 120, 121, 122, 140, 149};
  for (std::int64_t step = 1; step < 4; ++step) {
    std::vector<float> gradients(rows.size() * 700);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      gradients[i] = static_cast<float>(i % 13) - static_cast<float>(step);
    }
    together.accumulate(rows, gradients, 2.0F);
    together.apply_sum(step, 0.5F);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      add(alone, rows[i],
          {gradients.begin() + static_cast<std::ptrdiff_t>(i * 700),
           gradients.begin() + static_cast<std::ptrdiff_t>((i + 1) * 700)},
          2.0F);
      alone.apply_sum(step, 0.5F);
    }
  }
  EXPECT_EQ(read(together, kSlice), read(alone, kSlice));
  std::vector<float> gathered(rows.size() * 700);
  together.gather(rows, gathered);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::vector<float> row = read(together, {rows[i], 1});
    EXPECT_TRUE(std::equal(row.begin(), row.end(),
                           gathered.begin() + static_cast<std::ptrdiff_t>(i * 700)));
  }
}

TEST(RowShard, ADroppedSumLeavesNothing) {
  RowShard shard(kTable, kSlice, Sgd{.learning_rate = 1.0F});
  const std::vector<float> before = read(shard, kSlice);
  add(shard, 120, std::vector<float>(3, 1.0F), 1.0F);
  shard.drop_sum();
  shard.apply_sum(1, 1.0F);
  EXPECT_EQ(read(shard, kSlice), before);
}

/// The same updates on a plain array: what Keras does with a dense gradient.
std::vector<float> train_plainly(const Optimizer& optimizer, bool only_named) {
  std::vector<float> values = whole_table(kTable);
  values = {values.begin() + 300, values.begin() + 450};
  std::vector<float> slots[compute::kOptimizerSlotsMax];
  for (auto& slot : slots) slot.resize(values.size());
  for (int step = 1; step <= 6; ++step) {
    for (std::size_t row = 0; row < 50; ++row) {
      const bool named = row % 4 == static_cast<std::size_t>(step) % 3;
      if (only_named && !named) continue;
      const std::vector<float> gradient(3, named ? static_cast<float>(step) : 0.0F);
      compute::OptimizerUpdate update{.step = step,
                                      .values = std::span(values).subspan(row * 3, 3),
                                      .updated = std::span(values).subspan(row * 3, 3),
                                      .gradients = gradient};
      for (std::size_t i = 0; i < update.slots.size(); ++i) {
        update.slots[i] = std::span(slots[i]).subspan(row * 3, 3);
      }
      compute::apply(optimizer, update);
    }
  }
  return values;
}

std::vector<float> train_rows(const Optimizer& optimizer, RowUpdates updates) {
  RowTable table = kTable;
  table.updates = updates;
  RowShard shard(table, kSlice, optimizer);
  for (int step = 1; step <= 6; ++step) {
    for (std::uint64_t row = 0; row < 50; ++row) {
      if (row % 4 != static_cast<std::uint64_t>(step) % 3) continue;
      add(shard, 100 + row, std::vector<float>(3, static_cast<float>(step)), 1.0F);
    }
    shard.apply_sum(step, 1.0F);
  }
  return read(shard, kSlice);
}

TEST(RowShard, DenseUpdatesAreThoseOfADenseVariable) {
  for (const Optimizer& optimizer :
       {Optimizer(Sgd{}), Optimizer(Sgd{.momentum = 0.9F}), Optimizer(Adam{})}) {
    EXPECT_EQ(train_rows(optimizer, RowUpdates::kDense), train_plainly(optimizer, false));
  }
}

TEST(RowShard, LazyUpdatesLeaveOtherRowsAndTheirSlots) {
  for (const Optimizer& optimizer : {Optimizer(Sgd{.momentum = 0.9F}), Optimizer(Adam{})}) {
    EXPECT_EQ(train_rows(optimizer, RowUpdates::kLazy), train_plainly(optimizer, true));
    EXPECT_NE(train_rows(optimizer, RowUpdates::kLazy), train_rows(optimizer, RowUpdates::kDense));
  }
}

TEST(RowShard, WhatIsReadCanBeWrittenToAnother) {
  RowShard from(kTable, kSlice, Adam{});
  for (int step = 1; step <= 3; ++step) {
    add(from, 110 + static_cast<std::uint64_t>(step), std::vector<float>(3, 1.0F), 1.0F);
    from.apply_sum(step, 1.0F);
  }
  RowShard to(kTable, kSlice, Adam{});
  to.write(kSlice, read(from, kSlice));
  std::vector<float> slot(kSlice.count * 3);
  for (int i = 0; i < from.slots(); ++i) {
    from.read_slot(i, kSlice, slot);
    EXPECT_NE(slot, std::vector<float>(slot.size()));
    to.write_slot(i, kSlice, slot);
  }
  for (RowShard* shard : {&from, &to}) {
    add(*shard, 112, std::vector<float>(3, 2.0F), 1.0F);
    shard->apply_sum(4, 1.0F);
  }
  EXPECT_EQ(read(to, kSlice), read(from, kSlice));
}

TEST(RowShard, ALargeTableTakesMemoryOnlyForTheRowsInUse) {
  RowTable table = kTable;
  table.rows = std::int64_t{1} << 27;
  table.width = 4;  // 2 GiB of values and 4 GiB of slots
  RowShard shard(table, {0, std::size_t{1} << 27}, Adam{});
  add(shard, 100'000'000, std::vector<float>(4, 1.0F), 1.0F);
  shard.apply_sum(1, 1.0F);
  EXPECT_TRUE(shard.written(100'000'000));
}

}  // namespace
}  // namespace dtrain::inline v0::ps
