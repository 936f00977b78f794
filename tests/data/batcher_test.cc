#include "data/batcher.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/philox.h"
#include "data/data_testing.h"
#include "support/seed.h"

namespace dtrain::inline v0::data {
namespace {

// Example i has the features (10 i, 10 i + 1), the label i and the target -i.
std::vector<float> features_of(std::size_t count) {
  std::vector<float> features;
  for (std::size_t i = 0; i < count; ++i) {
    features.push_back(static_cast<float>(10 * i));
    features.push_back(static_cast<float>(10 * i + 1));
  }
  return features;
}

Dataset with_labels(std::size_t count) {
  std::vector<std::int32_t> labels(count);
  for (std::size_t i = 0; i < count; ++i) labels[i] = static_cast<std::int32_t>(i);
  return Dataset::from_memory(features_of(count), {2, 1}, labels);
}

TEST(Batcher, GathersIntegerFeaturesWithoutLoss) {
  const std::int64_t large = (std::int64_t{1} << 62) + 1;
  const std::vector<std::int64_t> ids{large, 1, large + 2, 3, large + 4, 5};
  Batcher batcher(Dataset::from_memory(ids, {2}, std::vector<float>{0.0F, 1.0F, 2.0F}),
                  {.examples = 3, .batch_size = 2, .shuffle = false});
  batcher.start_epoch(0);
  const tensor::Batch* last = batcher.batch(1);
  ASSERT_NE(last, nullptr);
  ASSERT_EQ(last->inputs[0].dtype, tensor::DType::kInt64);
  EXPECT_EQ(last->inputs[0].shape, (Shape{1, 2}));
  EXPECT_EQ(last->inputs[0].as<std::int64_t>()[0], large + 4);
  EXPECT_EQ(last->targets[0].as<float>()[0], 2.0F);
}

TEST(Batcher, GathersFeaturesAndLabelsOfThePlansExamples) {
  Batcher batcher(with_labels(10), {.examples = 10, .batch_size = 4, .seed = 3});
  for (const std::uint64_t epoch : {0, 1}) {
    batcher.start_epoch(epoch);
    std::size_t total = 0;
    for (std::size_t step = 0; step < batcher.plan().steps_per_epoch(); ++step) {
      const tensor::Batch* batch = batcher.batch(step);
      ASSERT_NE(batch, nullptr);
      const auto rows = static_cast<std::int64_t>(batch->size);
      EXPECT_EQ(batch->size, step == 2 ? 2U : 4U);
      EXPECT_EQ(batch->inputs[0].shape, (Shape{rows, 2, 1}));
      EXPECT_EQ(batch->targets[0].shape, (Shape{rows}));
      ASSERT_EQ(batch->example_indices.size(), batch->size);
      const auto inputs = batch->inputs[0].as<float>();
      const auto labels = batch->targets[0].as<std::int32_t>();
      ASSERT_EQ(inputs.size(), 2 * batch->size);
      ASSERT_EQ(labels.size(), batch->size);
      for (std::size_t i = 0; i < batch->size; ++i) {
        const std::uint64_t index = batch->example_indices[i];
        EXPECT_EQ(index, batcher.plan().examples(step)[i]);
        EXPECT_EQ(inputs[2 * i], static_cast<float>(10 * index));
        EXPECT_EQ(inputs[2 * i + 1], static_cast<float>(10 * index + 1));
        EXPECT_EQ(labels[i], static_cast<std::int32_t>(index));
      }
      total += batch->size;
    }
    EXPECT_EQ(total, 10U);
  }
}

TEST(Batcher, GathersFloatTargets) {
  const std::vector<float> targets = {0, 100, 1, 101, 2, 102};
  Batcher batcher(Dataset::from_memory(features_of(3), {2}, targets, {2}),
                  {.examples = 3, .batch_size = 3, .seed = 1});
  const tensor::Batch* batch = batcher.batch(0);
  EXPECT_EQ(batch->targets[0].shape, (Shape{3, 2}));
  for (std::size_t i = 0; i < 3; ++i) {
    const auto index = static_cast<float>(batch->example_indices[i]);
    EXPECT_EQ(batch->targets[0].as<float>()[2 * i], index);
    EXPECT_EQ(batch->targets[0].as<float>()[2 * i + 1], 100 + index);
  }
}

TEST(Batcher, HasNoTargetsForPrediction) {
  Batcher batcher(Dataset::from_memory(features_of(3), {2}),
                  {.examples = 3, .batch_size = 2, .shuffle = false});
  EXPECT_TRUE(batcher.batch(1)->targets.empty());
  EXPECT_EQ(batcher.batch(1)->inputs[0].as<float>()[0], 20.0F);
}

TEST(Batcher, AWorkerWithoutExamplesGetsNoBatch) {
  Batcher global(with_labels(3), {.examples = 3, .batch_size = 2, .workers = 2, .rank = 1});
  EXPECT_NE(global.batch(0), nullptr);
  EXPECT_EQ(global.batch(1), nullptr);
  Batcher own(
      with_labels(1),
      {.examples = 1, .batch_size = 2, .scope = BatchScope::kWorker, .workers = 2, .rank = 1});
  EXPECT_EQ(own.plan().steps_per_epoch(), 0U);
}

// Example i is called "name i" and has the ids 2 i and 2 i + 1, the class i, and the weight i.
Dataset mixed(std::size_t count) {
  Examples examples{.features = {{"x", features_of(count), {2}},
                                 {"name", Strings{}},
                                 {"ids", std::vector<std::int64_t>{}, {2}}},
                    .targets = {{"class", std::vector<std::int32_t>{}},
                                {"value", std::vector<float>(count, 0.5F)}}};
  for (std::size_t i = 0; i < count; ++i) {
    std::get<Strings>(examples.features[1].values).add("name " + std::to_string(i));
    auto& ids = std::get<std::vector<std::int64_t>>(examples.features[2].values);
    ids.push_back(static_cast<std::int64_t>(2 * i));
    ids.push_back(static_cast<std::int64_t>(2 * i + 1));
    std::get<std::vector<std::int32_t>>(examples.targets[0].values)
        .push_back(static_cast<std::int32_t>(i));
    examples.weights.push_back(static_cast<float>(i));
  }
  return Dataset::from_columns(std::move(examples));
}

TEST(Batcher, GathersWhatTheModelNamesInItsOrder) {
  Batcher batcher(mixed(20).slice(5, 10), {.examples = 10, .batch_size = 4, .seed = 3},
                  {.inputs = {"ids", "name"}, .outputs = {"class"}});
  for (std::size_t step = 0; step < batcher.plan().steps_per_epoch(); ++step) {
    const tensor::Batch* batch = batcher.batch(step);
    const auto rows = static_cast<std::int64_t>(batch->size);
    ASSERT_EQ(batch->inputs.size(), 2U);
    ASSERT_EQ(batch->targets.size(), 1U);
    EXPECT_EQ(batch->inputs[0].shape, (Shape{rows, 2}));
    EXPECT_EQ(batch->inputs[1].shape, (Shape{rows, 1}));
    EXPECT_EQ(batch->weights.shape, (Shape{rows}));
    for (std::size_t i = 0; i < batch->size; ++i) {
      const auto example = static_cast<std::int64_t>(batch->example_indices[i] + 5);
      EXPECT_EQ(batch->inputs[0].as<std::int64_t>()[2 * i + 1], 2 * example + 1);
      EXPECT_EQ(batch->inputs[1].as<std::string_view>()[i], "name " + std::to_string(example));
      EXPECT_EQ(batch->targets[0].as<std::int32_t>()[i], example);
      EXPECT_EQ(batch->weights.as<float>()[i], static_cast<float>(example));
    }
  }
}

TEST(Batcher, AllWorkersTogetherGatherEachExampleOncePerEpoch) {
  base::PhiloxStream random(support::seed());
  for (int repetition = 0; repetition < 60; ++repetition) {
    const std::size_t count = 1 + random.below(60);
    const Dataset data = mixed(count);
    BatchPlanOptions options{
        .examples = count,
        .batch_size = 1 + random.below(20),
        .scope = random.below(2) == 0 ? BatchScope::kGlobal : BatchScope::kWorker,
        .workers = static_cast<int>(1 + random.below(9)),
        .shuffle = random.below(4) != 0,
        .seed = random.bits64()};
    const std::uint64_t epoch = random.below(100);
    std::vector<int> seen(count);
    for (; options.rank < options.workers; ++options.rank) {
      Batcher batcher(data, options, {.inputs = {"name"}, .outputs = {"class"}});
      batcher.start_epoch(epoch);
      for (std::size_t step = 0; step < batcher.plan().steps_per_epoch(); ++step) {
        const tensor::Batch* batch = batcher.batch(step);
        if (batch == nullptr) continue;
        for (std::size_t i = 0; i < batch->size; ++i) {
          const auto id = batch->targets[0].as<std::int32_t>()[i];
          EXPECT_EQ(batch->inputs[0].as<std::string_view>()[i], "name " + std::to_string(id));
          ++seen.at(static_cast<std::size_t>(id));
        }
      }
    }
    EXPECT_EQ(seen, std::vector<int>(count, 1));
  }
}

TEST(Batcher, WithoutNamesItGathersEverythingInTheDataSetsOrder) {
  Batcher batcher(mixed(3), {.examples = 3, .batch_size = 3});
  EXPECT_EQ(batcher.batch(0)->inputs.size(), 3U);
  EXPECT_EQ(batcher.batch(0)->targets.size(), 2U);
}

TEST(Batcher, OneFeatureIsForOneInputWhateverTheyAreCalled) {
  Batcher batcher(with_labels(3), {.examples = 3, .batch_size = 3},
                  {.inputs = {"image"}, .outputs = {"digit"}});
  EXPECT_EQ(batcher.batch(0)->inputs.size(), 1U);
}

TEST(Batcher, ListsBothSidesWhenNamesDoNotMatch) {
  const auto batcher_for = [](ModelNames names) {
    Batcher batcher(mixed(3), {.examples = 3, .batch_size = 3}, names);
  };
  expect_error(
      [&] {
        batcher_for({.inputs = {"name", "x2"}});
      },
      ErrorCode::kInvalidArgument,
      {"inputs are \"name\", \"x2\"", "features are \"x\" (float32, (2,)), \"name\"",
       "no feature is called \"x2\""});
  expect_error([&] { batcher_for({.outputs = {"y"}}); }, ErrorCode::kInvalidArgument,
               {"outputs are \"y\"", "targets are \"class\" (int32, ())"});
}

TEST(Batcher, APlanForAnotherDataSetIsABug) {
  expect_error([] { Batcher batcher(with_labels(3), {.examples = 4, .batch_size = 2}); },
               ErrorCode::kInternal, {"4 examples", "3"});
}

}  // namespace
}  // namespace dtrain::inline v0::data
