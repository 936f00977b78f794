#include "dtrain/pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/philox.h"
#include "data/pipeline_testing.h"
#include "support/seed.h"
#include "support/time_scale.h"

namespace dtrain::inline v0 {
namespace {

using data::expect_error;

/// `count` examples in pieces of sizes that the seed decides.
Pipeline count_to(std::int64_t count, std::uint64_t seed = 0, std::uint64_t piece_max = 700) {
  return Pipeline::from_generator([=] {
    auto random = std::make_shared<base::PhiloxStream>(seed);
    auto next = std::make_shared<std::int64_t>(0);
    return [=](Examples& examples) {
      if (*next == count) return false;
      const auto size = static_cast<std::int64_t>(1 + random->below(piece_max));
      const std::int64_t end = std::min(count, *next + size);
      examples = numbered(*next, end);
      *next = end;
      return true;
    };
  });
}

TEST(Pipeline, GivesWhatTheGeneratorGives) {
  EXPECT_EQ(numbers(count_to(2000).stream()), range(0, 2000));
  EXPECT_TRUE(numbers(count_to(0).stream()).empty());
}

TEST(Pipeline, GivesADataSetsExamples) {
  const Dataset data = Dataset::from_columns(numbered(0, 1000));
  EXPECT_EQ(numbers(Pipeline::from_dataset(data.slice(100, 700)).stream()), range(100, 800));
}

TEST(Pipeline, BatchesHaveTheirSizeWhateverPiecesComeIn) {
  base::PhiloxStream random(support::seed());
  for (int repetition = 0; repetition < 30; ++repetition) {
    const auto count = static_cast<std::int64_t>(random.below(2000));
    const std::size_t size = 1 + random.below(300);
    std::vector<std::size_t> sizes;
    const Pipeline pipeline = count_to(count, random.bits64(), 1 + random.below(400));
    EXPECT_EQ(numbers(pipeline.batch(size).stream(), &sizes), range(0, count));
    const auto whole = static_cast<std::size_t>(count) / size;
    EXPECT_EQ(sizes.size(), whole + (static_cast<std::size_t>(count) % size != 0 ? 1 : 0));
    for (std::size_t i = 0; i < whole; ++i) EXPECT_EQ(sizes[i], size);
    EXPECT_EQ(numbers(pipeline.batch(size, true).stream()).size(), whole * size);
  }
}

TEST(Pipeline, ShufflesInTheSameWayWhateverPiecesComeIn) {
  base::PhiloxStream random(support::seed());
  for (const std::size_t buffer : {1U, 2U, 50U, 1000U, 5000U}) {
    const std::uint64_t seed = random.bits64();
    const Numbers first = numbers(count_to(3000, 1).shuffle(buffer, seed).stream(3));
    EXPECT_EQ(first, numbers(count_to(3000, 2, 9).shuffle(buffer, seed).stream(3)));
    EXPECT_EQ(first, numbers(count_to(3000, 3, 3000).shuffle(buffer, seed).batch(7).stream(3)));
    Numbers sorted = first;
    std::ranges::sort(sorted);
    EXPECT_EQ(sorted, range(0, 3000));
    if (buffer == 1) {
      EXPECT_EQ(first, range(0, 3000));
      continue;
    }
    EXPECT_NE(first, numbers(count_to(3000, 1).shuffle(buffer, seed).stream(4)));
    EXPECT_NE(first, numbers(count_to(3000, 1).shuffle(buffer, seed + 1).stream(3)));
    for (std::size_t i = 0; i < first.size(); ++i) {
      EXPECT_LT(first[i], static_cast<std::int64_t>(i + buffer));
    }
  }
}

TEST(Pipeline, AShuffleWithALargeBufferGivesEveryOrderAlike) {
  std::map<Numbers, int> orders;
  const Pipeline pipeline = count_to(4).shuffle(10, support::seed());
  for (std::uint64_t pass = 0; pass < 2400; ++pass) ++orders[numbers(pipeline.stream(pass))];
  EXPECT_EQ(orders.size(), 24U);  // Each 100 times, with a standard deviation of 10.
  for (const auto& [order, times] : orders) EXPECT_NEAR(times, 100, 60);
}

TEST(Pipeline, ShardsGiveEachExampleToOneWorker) {
  base::PhiloxStream random(support::seed());
  for (int repetition = 0; repetition < 20; ++repetition) {
    const auto count = static_cast<std::int64_t>(random.below(300));
    const int workers = static_cast<int>(1 + random.below(9));
    for (int rank = 0; rank < workers; ++rank) {
      EXPECT_EQ(numbers(count_to(count, random.bits64(), 20).shard(workers, rank).stream()),
                range(rank, count, workers));
    }
  }
}

TEST(Pipeline, MapChangesValuesColumnsAndNumber) {
  const Pipeline pipeline = count_to(1000).map([](Examples& examples) {
    const Numbers before = std::get<Numbers>(examples.features[0].values);
    std::vector<float> halves;
    for (const std::int64_t number : before) {
      if (number % 2 == 0 && number < 500) halves.push_back(static_cast<float>(number) / 2);
    }
    examples = {.features = {{"half", halves}}};
  });
  const Dataset data = pipeline.collect();
  ASSERT_EQ(data.size(), 250U);
  EXPECT_EQ(data.features(), (std::vector<FeatureInfo>{{"half", DType::kFloat32, {1}}}));
  for (std::size_t i = 0; i < 250; ++i) {
    EXPECT_EQ(data.feature<float>("half")[i], static_cast<float>(i));
  }
}

TEST(Pipeline, RepeatsWithAnotherOrderEachTime) {
  EXPECT_EQ(numbers(count_to(3).repeat(2).stream()), (Numbers{0, 1, 2, 0, 1, 2}));
  const Numbers all = numbers(count_to(100).shuffle(100, 1).repeat(3).stream());
  ASSERT_EQ(all.size(), 300U);
  const Numbers first(all.begin(), all.begin() + 100);
  const Numbers second(all.begin() + 100, all.begin() + 200);
  EXPECT_NE(first, second);
  EXPECT_EQ(second, numbers(count_to(100).shuffle(100, 1).stream(1)));
  // Pass 1 of three repetitions goes on where pass 0 ended.
  const Numbers later = numbers(count_to(100).shuffle(100, 1).repeat(3).stream(1));
  EXPECT_EQ(Numbers(later.begin(), later.begin() + 100),
            numbers(count_to(100).shuffle(100, 1).stream(3)));
}

TEST(Pipeline, RepeatsWithoutEnd) {
  ExampleStream stream = count_to(3).repeat().batch(7).stream();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(stream.next()->size(), 7U);
  expect_error([] { count_to(0).repeat().stream().next(); }, ErrorCode::kInvalidArgument,
               {"repeated without end has no example"});
  EXPECT_TRUE(numbers(count_to(0).repeat(3).stream()).empty());
}

TEST(Pipeline, ACacheAsksItsSourceOnce) {
  auto starts = std::make_shared<int>(0);
  const Pipeline pipeline = Pipeline::from_generator([starts] {
                              ++*starts;
                              return [left = 3](Examples& examples) mutable {
                                if (left == 0) return false;
                                --left;
                                examples = numbered(2 - left, 3 - left);
                                return true;
                              };
                            }).cache();
  { pipeline.stream().next(); }  // A pass that is given up keeps nothing.
  EXPECT_EQ(numbers(pipeline.stream()), range(0, 3));
  EXPECT_EQ(*starts, 2);
  EXPECT_EQ(
      numbers(
          pipeline.map([](Examples& examples) { examples.features.resize(2); }).repeat(3).stream())
          .size(),
      9U);
  EXPECT_EQ(*starts, 2);
  expect_error([] { count_to(1000).cache(1000).collect(); }, ErrorCode::kResourceExhausted,
               {"1000 bytes", "cache()"});
}

TEST(Pipeline, PrefetchGivesTheSame) {
  const Pipeline plain = count_to(5000, 4).shuffle(300, 7).batch(64);
  const Numbers expected = numbers(plain.stream(2));
  for (const std::size_t pieces : {1U, 2U, 100U}) {
    EXPECT_EQ(numbers(plain.prefetch(pieces).stream(2)), expected);
  }
  EXPECT_EQ(
      numbers(
          count_to(5000, 4).prefetch(2).shuffle(300, 7).prefetch(1).batch(64).prefetch(3).stream(
              2)),
      expected);
}

TEST(Pipeline, PrefetchWorksAheadAsFarAsItMay) {
  auto made = std::make_shared<std::atomic<int>>(0);
  auto reached = std::make_shared<std::promise<void>>();
  ExampleStream stream = Pipeline::from_generator([=] {
                           return [=](Examples& examples) {
                             examples = numbered(0, 1);
                             if (++*made == 4) reached->set_value();
                             return true;
                           };
                         })
                             .prefetch(3)
                             .stream();
  // Three wait, and a fourth is ready to.
  ASSERT_EQ(reached->get_future().wait_for(support::scaled(std::chrono::seconds(20))),
            std::future_status::ready);
  ASSERT_NE(stream.next(), nullptr);
  EXPECT_LE(*made, 5);
}

TEST(Pipeline, AStreamMayGoAtAnyTime) {
  const Pipeline endless = count_to(100).repeat().prefetch(2).batch(10).prefetch(4);
  for (int taken = 0; taken < 30; ++taken) {
    ExampleStream stream = endless.stream();
    for (int i = 0; i < taken; ++i) ASSERT_NE(stream.next(), nullptr);
  }
}

TEST(Pipeline, AnErrorReachesWhoeverPullsAfterWhatCameBefore) {
  const auto failing = [](std::size_t after) {
    return Pipeline::from_generator([after] {
      return [after, done = std::size_t{0}](Examples& examples) mutable -> bool {
        if (done++ == after) throw std::runtime_error("the disk is gone");
        examples = numbered(0, 1);
        return true;
      };
    });
  };
  for (const std::size_t after : {0U, 1U, 9U}) {
    ExampleStream stream = failing(after).prefetch(2).batch(1).prefetch(2).stream();
    for (std::size_t i = 0; i < after; ++i) ASSERT_NE(stream.next(), nullptr);
    try {
      stream.next();
      ADD_FAILURE() << "no error";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "the disk is gone");
    }
    EXPECT_EQ(stream.next(), nullptr);
  }
}

TEST(Pipeline, WhatPiecesHoldIsChecked) {
  const auto expect = [](const std::function<void(Examples&)>& change,
                         std::initializer_list<std::string_view> texts) {
    expect_error([&] { count_to(2000).map(change).collect(); }, ErrorCode::kInvalidArgument, texts);
  };
  expect([](Examples& examples) { examples.features.clear(); },
         {"after map(): the examples have no feature"});
  expect([](Examples& examples) { examples.weights.pop_back(); },
         {"after map(): ", " weights for"});
  expect(
      [first = true](Examples& examples) mutable {
        if (!first) examples.features[0].name = "m";
        first = false;
      },
      {"\"n\" (int64, (1,))", "a later piece after map()", "\"m\""});
  expect_error([] { count_to(0).collect(); }, ErrorCode::kInvalidArgument, {"no example"});
  expect_error([] { count_to(1000).collect(100); }, ErrorCode::kResourceExhausted, {"100 bytes"});
}

TEST(Pipeline, WrongArgumentsAreNamed) {
  const Pipeline pipeline = count_to(1);
  const auto expect = [](const std::function<void()>& action, std::string_view text) {
    expect_error(action, ErrorCode::kInvalidArgument, {text});
  };
  expect([&] { pipeline.batch(0); }, "the size of batch() is 0");
  expect([&] { pipeline.shuffle(0, 1); }, "the buffer of shuffle() is 0");
  expect([&] { pipeline.prefetch(0); }, "pieces of prefetch() is 0");
  expect([&] { pipeline.shard(2, 2); }, "rank 2 is not one of 2 workers");
  expect([] { Pipeline::from_csv({}); }, "list of files to read is empty");
  expect([] { Pipeline::from_tfrecord({"x"}, {}); }, "TfRecordOptions::features is empty");
  expect([] { Pipeline::from_csv({"x"}, {.scale = 0.0F}); }, "CsvOptions::scale");
}

}  // namespace
}  // namespace dtrain::inline v0
