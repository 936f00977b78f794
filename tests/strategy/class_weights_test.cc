#include "strategy/class_weights.h"

#include <gtest/gtest.h>

#include "dtrain/error.h"
#include "strategy/cluster_harness.h"

namespace dtrain::inline v0::strategy {
namespace {

template <typename T>
tensor::Batch batch_of(const std::vector<T>& targets, const Shape& shape) {
  return {.size = static_cast<std::size_t>(shape[0]),
          .targets = {tensor::view_of(std::span(targets), shape)}};
}

std::vector<float> weights_of(const tensor::Batch& batch) {
  const auto weights = batch.weights.as<float>();
  return {weights.begin(), weights.end()};
}

TEST(ClassWeights, ClassesWithoutOneHaveWeight1) {
  ClassWeights weights({{0, 0.5F}, {2, 3.0F}});
  const std::vector<std::int32_t> labels = {2, 0, 1, 2};
  const tensor::Batch batch = batch_of(labels, {4});
  const tensor::Batch& weighed = weights.weigh(batch);
  EXPECT_EQ(weights_of(weighed), (std::vector<float>{3.0F, 0.5F, 1.0F, 3.0F}));
  EXPECT_EQ(weighed.weights.shape, (Shape{4}));
  EXPECT_EQ(weighed.targets[0].data, batch.targets[0].data);
}

TEST(ClassWeights, TheClassOfOneHotTargetsIsTheirLargestAndOfNumbersTheNearest) {
  ClassWeights weights({{1, 2.0F}});
  const std::vector<float> one_hot = {0, 1, 0, 1, 0, 0};
  EXPECT_EQ(weights_of(weights.weigh(batch_of(one_hot, {2, 3}))), (std::vector<float>{2, 1}));
  const std::vector<float> numbers = {0.75F, 0.0F, 0.5F};
  EXPECT_EQ(weights_of(weights.weigh(batch_of(numbers, {3, 1}))), (std::vector<float>{2, 1, 1}));
}

TEST(ClassWeights, ExamplesWithWeightsOrSeveralTargetsAreRefused) {
  ClassWeights weights({{1, 2.0F}});
  const std::vector<std::int32_t> labels = {1};
  const std::vector<float> own = {1.0F};
  tensor::Batch batch = batch_of(labels, {1});
  batch.weights = tensor::view_of(std::span(own), {1});
  EXPECT_NE(error_of([&] { weights.weigh(batch); }).find("have weights of their own"),
            std::string::npos);
  batch = batch_of(labels, {1});
  batch.targets.push_back(batch.targets[0]);
  EXPECT_NE(error_of([&] { weights.weigh(batch); }).find("the examples have 2 targets"),
            std::string::npos);
}

}  // namespace
}  // namespace dtrain::inline v0::strategy
