#include "ps/rows.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/philox.h"
#include "ps/row_placement.h"
#include "support/seed.h"

namespace dtrain::inline v0::ps {
namespace {

TEST(RowPlacement, ServersHoldEveryRowOnceAndEquallyMany) {
  base::PhiloxStream random(support::seed());
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t rows = 1 + random.below(random.below(2) == 0 ? 20 : std::uint64_t{1} << 62);
    const int servers = static_cast<int>(1 + random.below(30));
    const RowPlacement placement(rows, servers);
    std::uint64_t next = 0;
    for (int server = 0; server < servers; ++server) {
      const Range slice = placement.slice(server);
      EXPECT_EQ(slice.begin, next);
      EXPECT_GE(slice.count, rows / static_cast<std::uint64_t>(servers));
      EXPECT_LE(slice.count, rows / static_cast<std::uint64_t>(servers) + 1);
      next = slice.end();
    }
    EXPECT_EQ(next, rows);
    EXPECT_TRUE(placement.has(rows - 1));
    EXPECT_FALSE(placement.has(rows));
  }
}

TEST(RowIndex, KeysComeOnceAndPlacesKeepTheirOrder) {
  const std::vector<std::uint64_t> keys{7, 3, 7, 1, 3, 7};
  const RowIndex index = index_rows(keys);
  EXPECT_EQ(index.keys, (std::vector<std::uint64_t>{1, 3, 7}));
  EXPECT_EQ(index.positions, (std::vector<std::size_t>{3, 1, 4, 0, 2, 5}));
  EXPECT_EQ(index.starts, (std::vector<std::size_t>{0, 1, 3, 6}));
  EXPECT_TRUE(index_rows({}).keys.empty());
}

TEST(RowIndex, KeysThatAscendStandWhereTheyStood) {
  const std::vector<std::uint64_t> keys{1, 3, 7};
  const RowIndex index = index_rows(keys);
  EXPECT_EQ(index.keys, keys);
  EXPECT_TRUE(index.as_given());
  EXPECT_FALSE(index_rows(std::vector<std::uint64_t>{1, 3, 3}).as_given());
  const std::vector<float> gradients{1.0F, 2.0F, 3.0F};
  EXPECT_EQ(sum_duplicates(index, gradients, 1), gradients);
}

TEST(RowIndex, DuplicatesAreAddedInOrderOfAppearance) {
  // 1e8 + 1 is 1e8 in float: only this order gives 1.
  const std::vector<std::uint64_t> keys{5, 2, 5, 5};
  const std::vector<float> gradients{1e8F, 0.0F, 3.0F, 4.0F, -1e8F, 0.0F, 1.0F, 9.0F};
  EXPECT_EQ(sum_duplicates(index_rows(keys), gradients, 2),
            (std::vector<float>{3.0F, 4.0F, 1.0F, 9.0F}));
}

Table two_tables() {
  return {.row_tables = {{.name = "a", .rows = 100, .width = 1},
                         {.name = "b", .rows = 100, .width = 14}}};
}

TEST(RowChunks, CoverEachPartInOrder) {
  Table table = two_tables();
  table.chunk_elements = 64;  // 256 bytes: 21 rows of width 1, 4 of width 14
  const RowChunks chunks({{0, 50}, {1, 9}}, table);
  ASSERT_EQ(chunks.count(), 6U);
  std::size_t next[2] = {0, 0};
  for (std::uint64_t i = 0; i < chunks.count(); ++i) {
    const RowChunks::Chunk chunk = chunks.at(i);
    EXPECT_EQ(chunk.part, i < 3 ? 0U : 1U);
    EXPECT_EQ(chunk.first, next[chunk.part]);
    EXPECT_LE(chunk.push_bytes(), 256U);
    next[chunk.part] += chunk.count;
  }
  EXPECT_EQ(next[0], 50U);
  EXPECT_EQ(next[1], 9U);
  EXPECT_EQ(chunks.at(5).push_bytes(), 8U + 14 * 4);
}

TEST(RowChunks, PartsWithoutRowsHaveNoChunk) {
  const RowChunks chunks({{0, 0}, {1, 1}}, two_tables());
  ASSERT_EQ(chunks.count(), 1U);
  EXPECT_EQ(chunks.at(0).table, 1U);
  EXPECT_EQ(RowChunks().count(), 0U);
}

std::string parse_error(const std::vector<std::pair<std::uint32_t, std::uint64_t>>& parts) {
  Table table = two_tables();
  table.servers = 3;
  pb::Begin begin;
  for (const auto& [index, count] : parts) {
    begin.add_rows()->set_table(index);
    begin.mutable_rows()->rbegin()->set_count(count);
  }
  const auto parsed = parse_row_parts(begin.rows(), table, 1);
  return parsed.ok() ? "" : parsed.error().what();
}

TEST(RowParts, WhatAServerDoesNotHaveIsRefused) {
  EXPECT_EQ(parse_error({{0, 33}, {1, 0}}), "");
  EXPECT_NE(parse_error({{0, 34}}).find("34 rows of \"a\", of which the server has 33"),
            std::string::npos);
  EXPECT_NE(parse_error({{2, 1}}), "");
  EXPECT_NE(parse_error({{1, 1}, {0, 1}}), "");
  EXPECT_NE(parse_error({{1, 1}, {1, 1}}), "");
  EXPECT_NE(parse_error({{0, ~std::uint64_t{0}}}), "");
}

TEST(Rows, KeysBeyondTheTableAreNamed) {
  const RowTable table{.name = "a", .rows = 10, .width = 1};
  const std::vector<std::uint64_t> keys{0, 9, 10};
  EXPECT_NO_THROW(check_keys(table, std::span(keys).first(2)));
  try {
    check_keys(table, keys);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "[INVALID_ARGUMENT] key 2 is 10, but \"a\" has 10 rows. Give keys from 0 to 9.");
  }
}

}  // namespace
}  // namespace dtrain::inline v0::ps
