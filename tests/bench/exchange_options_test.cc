#include "bench/exchange_options.h"

#include <gtest/gtest.h>

#include <limits>

#include "bench/exchange_models.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::bench {
namespace {

template <typename Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument) << error.what();
    return error.what();
  }
  return "no error";
}

void expect_refused(const ExchangeOptions& options, const std::string& part) {
  const std::string message = message_of([&] { validate(options); });
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(ExchangeOptionsTest, SizesHaveBinarySuffixes) {
  EXPECT_EQ(parse_size("100", "--size"), 100U);
  EXPECT_EQ(parse_size("4K", "--size"), 4096U);
  EXPECT_EQ(parse_size("64M", "--size"), std::uint64_t{64} << 20);
  EXPECT_EQ(parse_size("1G", "--size"), std::uint64_t{1} << 30);
  EXPECT_EQ(parse_size("16MiB", "--size"), std::uint64_t{16} << 20);
  EXPECT_EQ(parse_size("1.5M", "--size"), std::uint64_t{3} << 19);
}

TEST(ExchangeOptionsTest, WhatIsNoSizeIsRefusedByName) {
  for (const char* text : {"", "M", "64X", "64MB", "-1", "1e3", "64 M", "0x10", "nan", "0.3"}) {
    const std::string message = message_of([&] { (void)parse_size(text, "--size"); });
    EXPECT_NE(message.find(std::string("--size is \"") + text + "\""), std::string::npos)
        << message;
  }
  EXPECT_NE(message_of([] { (void)parse_size("9999G", "--size"); }).find("too large"),
            std::string::npos);
}

TEST(ExchangeOptionsTest, UnknownNamesAreToldWhatThereIs) {
  EXPECT_NE(message_of([] {
              (void)parse_workload("pushpull");
            }).find("There are push, pull, push-pull, rows-pull, rows-push"),
            std::string::npos);
  EXPECT_NE(message_of([] { (void)parse_dtype("int8"); }).find("There are fp32, fp16, bf16"),
            std::string::npos);
  expect_refused({.model = "gpt"}, "there is no model \"gpt\"");
}

TEST(ExchangeOptionsTest, NamesAreReadAsTheyAreWritten) {
  for (const auto workload : {Workload::kPush, Workload::kPull, Workload::kPushPull,
                              Workload::kRowsPull, Workload::kRowsPush}) {
    EXPECT_EQ(parse_workload(to_string(workload)), workload);
  }
  for (const auto type :
       {GradientType::kFloat32, GradientType::kFloat16, GradientType::kBFloat16}) {
    EXPECT_EQ(parse_dtype(to_string(type)), type);
  }
}

TEST(ExchangeOptionsTest, WhatCannotBeMeasuredIsRefused) {
  expect_refused({.size_bytes = 0}, "--size is 0");
  expect_refused({.size_bytes = 10}, "no whole floats");
  expect_refused({.size_bytes = 8, .variables = 3}, "too few for 3 variables");
  expect_refused({.variables = 0}, "--variables is 0");
  expect_refused({.workload = Workload::kRowsPull, .keys = 0}, "--keys is 0");
  expect_refused({.workload = Workload::kRowsPull, .rows = 10, .keys = 11}, "has 10 rows");
  expect_refused({.workload = Workload::kRowsPush, .rows = 0}, "--rows is 0");
  expect_refused({.workload = Workload::kRowsPush, .width = 1 << 20}, "--width");
  expect_refused({.repetitions = 2'000'000}, "--repetitions");
  expect_refused({.seconds = 0}, "--seconds is 0");
  expect_refused({.seconds = std::numeric_limits<double>::quiet_NaN()}, "--seconds");
  expect_refused({.warmup = 0}, "--warmup is 0");
}

TEST(ExchangeOptionsTest, VariablesShareTheSize) {
  const auto variables = variables_of({.size_bytes = 40, .variables = 3});
  std::int64_t floats = 0;
  for (const Variable& variable : variables) floats += variable.shape.front();
  EXPECT_EQ(variables.size(), 3U);
  EXPECT_EQ(floats, 10);
}

TEST(ExchangeOptionsTest, AllVariablesTravelInTheGivenType) {
  for (const Variable& variable :
       variables_of({.model = "recommender", .dtype = GradientType::kBFloat16})) {
    EXPECT_EQ(variable.gradient_type, GradientType::kBFloat16);
  }
}

TEST(ExchangeModelsTest, ResNet50HasItsPublishedTensors) {
  std::uint64_t floats = 0;
  for (const Variable& variable : resnet50_variables()) floats += element_count(variable.shape);
  EXPECT_EQ(resnet50_variables().size(), 161U);
  EXPECT_EQ(floats, 25'557'032U);
}

TEST(ExchangeModelsTest, TheRecommenderHasPerceptronsAndSmallTables) {
  const auto variables = recommender_variables();
  std::uint64_t floats = 0;
  std::uint64_t tables = 0;
  for (const Variable& variable : variables) {
    floats += element_count(variable.shape);
    tables += variable.name.starts_with("embedding") ? 1 : 0;
  }
  EXPECT_EQ(tables, 19U);
  EXPECT_EQ(variables.size(), 19U + 14U);
  EXPECT_EQ(floats, 140'543U * 16 + 475'985U);
}

TEST(ExchangeOptionsTest, DescriptionsSayWhatIsMoved) {
  EXPECT_EQ(describe({}), "push-pull of 64 MiB in 1 variable, fp32, arena, synchronous");
  EXPECT_EQ(describe({.workload = Workload::kRowsPull, .asynchronous = true}),
            "rows-pull of 100000 rows of 10000000 x 16, asynchronous");
}

}  // namespace
}  // namespace dtrain::inline v0::bench
