// Each mistake that somebody new makes has a message of its own, which says what is wrong, where,
// and what to do.
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "dtrain/dtrain.h"
#include "strategy/cluster_harness.h"
#include "support/temporary_folder.h"

namespace dtrain::inline v0 {
namespace {

const FitOptions kQuiet{.verbosity = Verbosity::kSilent};

Model classifier(std::int64_t features = 2) {
  Model model = Strategy::local().build(
      {.input_shape = {features}, .layers = {Dense{.units = 3, .name = "classes"}}});
  model.compile({.loss = SparseCategoricalCrossentropy{.from_logits = true}});
  return model;
}

Dataset points(std::vector<float> features = {1, 2, 3, 4, 5, 6, 7, 8},
               std::vector<std::int32_t> labels = {0, 1, 2, 1}) {
  return Dataset::from_columns({.features = {{"xy", std::move(features), {2}}},
                                .targets = {{"class", std::move(labels), {}}}});
}

std::string csv_error(const std::string& text, const CsvOptions& options) {
  const support::TemporaryFolder folder;
  const std::string path = folder.path() + "/people.csv";
  std::ofstream(path) << text;
  return error_of([&] { (void)Dataset::from_csv(path, options); });
}

void expect_says(const std::string& error, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(error.find(part), std::string::npos) << "no \"" << part << "\" in: " << error;
  }
}

TEST(Mistakes, DataOfAnotherShape) {
  expect_says(error_of([] { classifier(5).fit(points(), kQuiet); }),
              {"have the shape (4, 2), but the model takes (4, 5)",
               "Change the shape of the model's input, or the columns of the data"});
}

TEST(Mistakes, ALayerThatCannotTakeWhatComes) {
  expect_says(error_of([] {
                (void)Strategy::local().build(
                    {.input_shape = {28, 28},
                     .layers = {Conv2D{.filters = 3, .kernel_size = {3, 3}, .name = "edges"}}});
              }),
              {"layer 0 (\"edges\")", "takes an image of (height, width, channels)", "(28, 28)",
               "Put a Reshape in front"});
}

TEST(Mistakes, LabelsOutOfRange) {
  expect_says(error_of([] {
                classifier().fit(points({1, 2, 3, 4}, {0, 3}), kQuiet);
              }),
              {"the label of example 1 is 3, but the model has 3 classes (0 to 2)",
               "Correct the label, or give the last layer more units"});
}

TEST(Mistakes, ANumberThatIsNone) {
  for (const float wrong :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::vector<std::string> says = {"feature \"xy\" of example 2 is ", " in element 1",
                                           "Replace it"};
    expect_says(error_of([&] { (void)points({1, 2, 3, 4, 5, wrong, 7, 8}); }), says);
    const Pipeline mapped = Pipeline::from_dataset(points()).map([wrong](Examples& examples) {
      std::get<std::vector<float>>(examples.features[0].values)[5] = wrong;
    });
    expect_says(error_of([&] { classifier().fit(mapped, kQuiet); }), says);
  }
  const std::string text = "x,y,label\n1,0,1\n5,2,0\nnan,1,2\n";
  expect_says(csv_error(text, {}), {" line 4", "\"x\"", "nan", "allow_non_finite"});

  // Whoever admits such numbers is told where they do harm.
  const support::TemporaryFolder folder;
  const std::string path = folder.path() + "/people.csv";
  std::ofstream(path) << text;
  const Dataset data = Dataset::from_csv(path, {.allow_non_finite = true});
  Model model = classifier();
  const std::vector<float> before = model.variable("classes/kernel");
  const std::vector<std::string> says = {"of example 2 is nan, and so is the loss",
                                         "Correct the data"};
  expect_says(error_of([&] { model.fit(data, kQuiet); }), says);
  expect_says(error_of([&] { model.evaluate(data); }), says);
  expect_says(error_of([&] { model.train_on_batch(data); }), says);
  EXPECT_EQ(model.variable("classes/kernel"), before);
}

TEST(Mistakes, NoExamples) {
  expect_says(error_of([] {
                (void)Dataset::from_columns({.features = {{"x", std::vector<float>{}}},
                                             .targets = {{"y", std::vector<float>{}}}});
              }),
              {"the data set has no example"});
  expect_says(csv_error("x,label\n", {}), {"people.csv has column names but no example"});
}

TEST(Mistakes, TextWhereANumberBelongs) {
  expect_says(csv_error("age,label\n31,0\nold,1\n", {}),
              {"people.csv line 3, column \"age\": \"old\" is not a number"});
  const Dataset words =
      Dataset::from_columns({.features = {{"word", Strings{"a", "b"}}},
                             .targets = {{"y", std::vector<std::int32_t>{0, 1}, {}}}});
  Model model = classifier(1);
  expect_says(error_of([&] { model.fit(words, kQuiet); }),
              {"the inputs are string, but the model takes float32"});
}

TEST(Mistakes, UnknownNames) {
  expect_says(csv_error("age,label\n31,0\n", {.columns = {"height"}}), {"\"height\"", "\"age\""});
  Functional model;
  const auto age = model.input({.shape = {1}, .name = "age"});
  const auto size = model.input({.shape = {1}, .name = "size"});
  model.output(model.add(Dense{2}, {model.add(Concatenate{}, {age, size})}));
  Model built = Strategy::local().build(model);
  built.compile({.loss = SparseCategoricalCrossentropy{.from_logits = true}});
  const Dataset data = Dataset::from_columns(
      {.features = {{"age", std::vector<float>{1}}, {"height", std::vector<float>{2}}},
       .targets = {{"y", std::vector<std::int32_t>{0}, {}}}});
  expect_says(error_of([&] { built.fit(data, kQuiet); }),
              {"no feature is called \"size\"", "\"height\"", "Call both the same"});
  expect_says(error_of([] { (void)Optimizer("adma"); }), {"adma", "adam"});
  expect_says(error_of([] { (void)Loss("mse_loss"); }), {"mse_loss", "mse"});
  expect_says(error_of([] { (void)Metric("acuracy"); }), {"acuracy", "accuracy"});
}

TEST(Mistakes, NoVocabulary) {
  Functional model;
  const auto word = model.input({.shape = {1}, .dtype = DType::kString, .name = "word"});
  const auto id = model.add(StringLookup{.name = "words"}, {word});
  model.output(model.add(EmbeddingBag{.input_dim = 3, .output_dim = 2}, {id}));
  expect_says(error_of([&] { (void)Strategy::local().build(model); }),
              {"\"words\"", "no vocabulary", "adapt_vocabulary()"});
}

TEST(Mistakes, TextWithoutALookup) {
  Functional model;
  const auto word = model.input({.shape = {1}, .dtype = DType::kString, .name = "word"});
  model.output(model.add(Dense{.units = 2, .name = "first"}, {word}));
  expect_says(error_of([&] { (void)Strategy::local().build(model); }),
              {"\"first\"", "StringLookup"});
}

TEST(Mistakes, CompileForgotten) {
  Model model = Strategy::local().build({.input_shape = {2}, .layers = {Dense{3}}});
  const std::vector<std::string> says = {"on a model that is not compiled",
                                         "Call compile() with an optimizer and a loss first"};
  expect_says(error_of([&] { model.fit(points(), kQuiet); }), says);
  expect_says(error_of([&] { model.evaluate(points()); }), says);
  expect_says(error_of([&] { model.train_on_batch(points()); }), says);
  EXPECT_NO_THROW(model.predict(points()));
}

TEST(Mistakes, BatchesOfNothing) {
  Model model = classifier();
  const std::vector<std::string> says = {"batch_size is 0", "Set it to at least 1"};
  FitOptions options = kQuiet;
  options.batch_size = 0;
  expect_says(error_of([&] { model.fit(points(), options); }), says);
  expect_says(error_of([&] { model.evaluate(points(), 0); }), says);
  expect_says(error_of([&] { model.predict(points(), 0); }), says);
}

TEST(Mistakes, DivergenceIsNoMistakeOfTheData) {
  Model model = Strategy::local().build({.input_shape = {2}, .layers = {Dense{1}}});
  model.compile({.optimizer = Sgd{.learning_rate = 1e30F}});
  const Dataset data =
      Dataset::from_columns({.features = {{"xy", std::vector<float>{1, 2, 3, 4}, {2}}},
                             .targets = {{"y", std::vector<float>{1e5F, -1e5F}}}});
  testing::internal::CaptureStderr();
  FitOptions options = kQuiet;
  options.epochs = 9;
  model.fit(data, options);
  const std::string log = testing::internal::GetCapturedStderr();
  expect_says(log, {"the training has diverged", "Lower the learning rate"});
  EXPECT_EQ(log.find("diverged"), log.rfind("diverged"));
}

}  // namespace
}  // namespace dtrain::inline v0
