#include "dtrain/model.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "dtrain/strategy.h"
#include "strategy/cluster_harness.h"

namespace dtrain::inline v0 {
namespace {

Dataset digits(const std::string& part) {
  return Dataset::from_csv(std::string(DTRAIN_DATA_FOLDER) + "/digits-" + part + ".csv.gz",
                           {.scale = 1.0F / 16});
}

Sequential network() {
  return {.input_shape = {64},
          .layers = {Dense{32, Activation::kRelu}, Flatten{}, Dropout{.rate = 0.1F}, Dense{10}}};
}

CompileOptions objective() {
  return {.optimizer = Adam{},
          .loss = SparseCategoricalCrossentropy{.from_logits = true},
          .metrics = {"accuracy"}};
}

Model compiled(const BuildOptions& options = {}) {
  Model model = Strategy::local().build(network(), options);
  model.compile(objective());
  return model;
}

TEST(Model, LearnsDigitsAndItsHistoryHasOneValuePerEpoch) {
  Model model = compiled();
  const Dataset test = digits("test");
  const History history = model.fit(
      digits("train"),
      {.epochs = 12, .batch_size = 32, .validation = &test, .verbosity = Verbosity::kSilent});
  EXPECT_EQ(history.epoch.size(), 12U);
  for (const char* name : {"loss", "accuracy", "val_loss", "val_accuracy"}) {
    ASSERT_EQ(history.history.at(name).size(), 12U) << name;
  }
  EXPECT_LT(history.history.at("loss").back(), history.history.at("loss").front() / 3);
  EXPECT_EQ(history.steps, 12 * 45);
  const Logs logs = model.evaluate(test);
  EXPECT_GT(logs.at("accuracy"), 0.9);
  EXPECT_NEAR(logs.at("accuracy"), history.history.at("val_accuracy").back(), 1e-12);
}

TEST(Model, TheSameSeedGivesTheSameBits) {
  const auto weights = [](std::uint64_t seed) {
    Model model = compiled({.seed = seed});
    model.fit(digits("train"), {.epochs = 1, .seed = seed, .verbosity = Verbosity::kSilent});
    return model.variable("dense/kernel");
  };
  EXPECT_EQ(weights(1), weights(1));
  EXPECT_NE(weights(1), weights(2));
}

TEST(Model, PredictGivesTheOutputsOfEveryExampleInOrder) {
  Model model = compiled();
  const Dataset test = digits("test");
  const std::vector<float> whole = model.predict(test, 1000);
  EXPECT_EQ(whole.size(), test.size() * 10);
  const std::vector<float> pieces = model.predict(test, 7);
  ASSERT_EQ(pieces.size(), whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(pieces[i], whole[i], 1e-5);
}

TEST(Model, VariablesStandInKerasOrderAndCanBeSet) {
  Model model = compiled();
  EXPECT_EQ(model.variable_names(), (std::vector<std::string>{"dense/kernel", "dense/bias",
                                                              "dense_1/kernel", "dense_1/bias"}));
  EXPECT_EQ(model.variable_shape("dense_1/kernel"), (Shape{32, 10}));
  EXPECT_EQ(model.parameter_count(), 64U * 32 + 32 + 32 * 10 + 10);
  const std::vector<float> ones(10, 1.0F);
  model.set_variable("dense_1/bias", ones);
  EXPECT_EQ(model.variable("dense_1/bias"), ones);
  EXPECT_NE(error_of([&] {
              model.set_variable("dense_1/bias", std::vector<float>(3));
            }).find("\"dense_1/bias\" has the shape (10,), 10 elements, but was given 3"),
            std::string::npos);
  EXPECT_NE(error_of([&] { (void)model.variable("dense_9/bias"); }).find("dense_1/kernel"),
            std::string::npos);
}

TEST(Model, SummaryListsLayersShapesAndParameters) {
  const std::string summary = compiled().summary();
  for (const char* part : {"sequential", "dense ", "(None, 32)", "2080", "flatten", "dropout",
                           "dense_1", "(None, 10)", "330", "Parameters: 2410"}) {
    EXPECT_NE(summary.find(part), std::string::npos) << part << " in\n" << summary;
  }
}

TEST(Model, EarlyStoppingAndLimitsEndTraining) {
  Model model = compiled();
  const Dataset train = digits("train");
  const History stopped = model.fit(train, {.epochs = 10,
                                            .verbosity = Verbosity::kSilent,
                                            .on_epoch_end = [](int epoch, const Logs& logs) {
                                              EXPECT_TRUE(logs.contains("accuracy"));
                                              return epoch == 1;
                                            }});
  EXPECT_EQ(stopped.epoch, (std::vector<int>{0, 1}));
  const History limited =
      model.fit(train, {.epochs = 10, .steps_max = 7, .verbosity = Verbosity::kSilent});
  EXPECT_EQ(limited.steps, 7);
}

TEST(Model, NewcomersMistakesHaveTheirOwnMessages) {
  const Dataset train = digits("train");
  const std::vector<float> numbers(6, 0.5F);
  const std::vector<std::int32_t> bad_labels{0, 10};
  Model fresh = Strategy::local().build(network());
  Model ready = compiled();
  const std::vector<std::pair<const char*, std::function<void()>>> mistakes{
      {"fit() was called on a model that is not compiled", [&] { fresh.fit(train); }},
      {"evaluate() was called on a model that is not compiled", [&] { fresh.evaluate(train); }},
      {"FitOptions::epochs is 0", [&] { ready.fit(train, {.epochs = 0}); }},
      {"FitOptions::steps_max is -1", [&] { ready.fit(train, {.steps_max = -1}); }},
      {"batch_size", [&] { ready.fit(train, {.batch_size = 0}); }},
      {"(2, 3)", [&] { ready.predict(Dataset::from_memory(numbers, {3})); }},
      {"learning_rate", [&] { fresh.compile({.optimizer = Sgd{.learning_rate = -1.0F}}); }},
      {"10",
       [&] {
         ready.fit(Dataset::from_memory(std::vector<float>(128), {64}, bad_labels),
                   {.verbosity = Verbosity::kSilent});
       }},
  };
  for (const auto& [says, mistake] : mistakes) {
    const std::string error = error_of(mistake);
    EXPECT_NE(error.find(says), std::string::npos) << says << " in: " << error;
  }
}

TEST(Model, ThreadsComeFromTheOptionsOrTheEnvironment) {
  EXPECT_NE(error_of([] {
              (void)Strategy::local().build(network(), {.threads = 0});
            }).find("BuildOptions::threads is 0"),
            std::string::npos);
  setenv("DTRAIN_NUM_THREADS", "many", 1);
  EXPECT_NE(error_of([] {
              (void)Strategy::local().build(network());
            }).find("DTRAIN_NUM_THREADS is \"many\""),
            std::string::npos);
  unsetenv("DTRAIN_NUM_THREADS");
}

}  // namespace
}  // namespace dtrain::inline v0
