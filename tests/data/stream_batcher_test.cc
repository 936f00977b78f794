#include "data/stream_batcher.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "data/data_testing.h"

namespace dtrain::inline v0::data {
namespace {

Dataset people() {
  return Dataset::from_columns(
      {.features = {{"age", std::vector<float>{20, 30, 40, 50, 60}},
                    {"city", Strings{"Bonn", "Ulm", "Jena", "Kiel", "Hof"}},
                    {"ids", std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {2}}},
       .targets = {{"class", std::vector<std::int32_t>{0, 1, 2, 1, 0}, {}},
                   {"income", std::vector<float>{1, 2, 3, 4, 5}}},
       .weights = {1, 2, 3, 4, 5}});
}

TEST(StreamBatcher, GivesWhatTheModelNamesInItsOrder) {
  StreamBatcher batcher(Pipeline::from_dataset(people()).batch(2).stream(),
                        {.inputs = {"ids", "city"}, .outputs = {"class"}}, 1, 3);
  std::vector<std::uint64_t> indices;
  std::size_t seen = 0;
  while (const tensor::Batch* batch = batcher.next()) {
    const auto rows = static_cast<std::int64_t>(batch->size);
    EXPECT_EQ(batch->size, seen < 4 ? 2U : 1U);
    ASSERT_EQ(batch->inputs.size(), 2U);
    ASSERT_EQ(batch->targets.size(), 1U);
    EXPECT_EQ(batch->inputs[0].shape, (Shape{rows, 2}));
    EXPECT_EQ(batch->inputs[0].as<std::int64_t>()[0], static_cast<std::int64_t>(2 * seen + 1));
    EXPECT_EQ(batch->inputs[1].as<std::string_view>().front(),
              people().feature<std::string_view>("city")[seen]);
    EXPECT_EQ(batch->targets[0].shape, (Shape{rows}));
    EXPECT_EQ(batch->targets[0].as<std::int32_t>()[0],
              people().target<std::int32_t>("class")[seen]);
    EXPECT_EQ(batch->weights.shape, (Shape{rows}));
    EXPECT_EQ(batch->weights.as<float>()[0], static_cast<float>(seen + 1));
    indices.insert(indices.end(), batch->example_indices.begin(), batch->example_indices.end());
    seen += batch->size;
  }
  EXPECT_EQ(seen, 5U);
  EXPECT_EQ(indices, (std::vector<std::uint64_t>{1, 4, 7, 10, 13}));
}

TEST(StreamBatcher, NeedsNoTargetsAndNoWeights) {
  const Dataset data = Dataset::from_memory(std::vector<float>{1, 2, 3}, {1});
  StreamBatcher batcher(Pipeline::from_dataset(data).stream(),
                        {.inputs = {"image"}, .outputs = {"digit"}});
  const tensor::Batch* batch = batcher.next();
  ASSERT_NE(batch, nullptr);
  EXPECT_TRUE(batch->targets.empty());
  EXPECT_EQ(batch->weights.data, nullptr);
  EXPECT_EQ(batcher.next(), nullptr);
}

TEST(StreamBatcher, ListsBothSidesWhenNamesDoNotMatch) {
  StreamBatcher batcher(Pipeline::from_dataset(people()).stream(), {.inputs = {"x", "age"}});
  expect_error([&] { batcher.next(); }, ErrorCode::kInvalidArgument,
               {"\"x\", \"age\"", "\"city\" (string, (1,))", "no feature is called \"x\""});
}

}  // namespace
}  // namespace dtrain::inline v0::data
