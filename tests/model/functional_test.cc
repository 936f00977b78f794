// Graphs: several inputs, branches, shared layers, and what is wrong with them.
#include "dtrain/functional.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/philox.h"
#include "compute/cpu_device.h"
#include "dtrain/error.h"
#include "model/network.h"

namespace dtrain::inline v0::model {
namespace {

template <typename Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

/// Random numbers in [-1, 1).
std::vector<float> numbers(std::size_t count, std::uint64_t seed) {
  base::PhiloxStream stream(seed);
  std::vector<float> values(count);
  for (float& value : values) value = 2.0F * stream.uniform() - 1.0F;
  return values;
}

/// A batch for a model whose inputs are all of floats, and one target.
struct Data {
  Data(const Network& network, std::size_t examples) : size(examples) {
    for (std::size_t i = 0; i < network.graph().inputs.size(); ++i) {
      shapes.push_back(network.input_shape(i));
      inputs.push_back(numbers(examples * tensor::element_count(shapes.back()), 10 + i));
    }
    targets = numbers(examples * network.output_count(), 3);
    target_shape = network.output_shape();
    for (std::size_t i = 0; i < examples; ++i) indices.push_back(i);
  }
  tensor::Batch batch() const {
    const auto whole = [&](Shape shape) {
      shape.insert(shape.begin(), static_cast<std::int64_t>(size));
      return shape;
    };
    tensor::Batch batch{.size = size};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      batch.inputs.push_back(tensor::view_of(std::span(inputs[i]), whole(shapes[i])));
    }
    batch.targets = {tensor::view_of(std::span(targets), whole(target_shape))};
    batch.example_indices = indices;
    return batch;
  }
  std::size_t size;
  std::vector<Shape> shapes;
  std::vector<std::vector<float>> inputs;
  std::vector<float> targets;
  Shape target_shape;
  std::vector<std::uint64_t> indices;
};

/// Every gradient against the difference of the loss.
void expect_right_gradients(Network& network) {
  network.set_objective(MeanSquaredError{}, {});
  const Data data(network, 5);
  const tensor::Batch batch = data.batch();
  const auto loss_now = [&] {
    Sums sums;
    network.train_step(batch, 0, sums);
    return sums.mean_loss();
  };
  loss_now();
  const std::vector<float> gradients(network.gradients().begin(), network.gradients().end());
  for (const tensor::LayoutEntry& entry : network.layout().entries()) {
    for (std::size_t i = entry.offset; i < entry.end(); ++i) {
      float& value = network.mutable_values()[i];
      const float kept = value;
      value = kept + 0.01F;
      const double above = loss_now();
      value = kept - 0.01F;
      const double below = loss_now();
      value = kept;
      EXPECT_NEAR(gradients[i], (above - below) / 0.02, 2e-3)
          << entry.name << " " << i - entry.offset;
    }
  }
}

TEST(Functional, ATensorThatIsUsedTwiceGetsBothGradients) {
  Functional model;
  const auto in = model.input({.shape = {3}});
  const auto shared = model.add(Dense{4, Activation::kTanh}, {in});
  const auto left = model.add(Dense{2, Activation::kSigmoid}, {shared});
  const auto right = model.add(Dense{2}, {shared});
  const auto product = model.add(Multiply{}, {left, right});
  model.output(model.add(Add{}, {product, right, product}));
  const auto device = compute::cpu_device();
  Network network(model, 1, *device);
  expect_right_gradients(network);
}

TEST(Functional, ASharedLayerSumsTheGradientsOfItsCalls) {
  Functional model;
  const auto a = model.input({.shape = {3}, .name = "a"});
  const auto b = model.input({.shape = {3}, .name = "b"});
  const std::size_t tower = model.share(Dense{.units = 4, .activation = Activation::kTanh});
  const auto left = model.call(tower, {a});
  const auto right = model.call(tower, {b});
  model.output(model.add(Dense{2}, {model.add(Concatenate{}, {left, right})}));
  const auto device = compute::cpu_device();
  Network network(model, 1, *device);
  EXPECT_EQ(network.layout().entries().size(), 4U);
  expect_right_gradients(network);
}

TEST(Functional, WhatOnlyHandsItsInputOnAddsItsGradientToOthers) {
  for (const Layer& identity : {Layer(Dropout{.rate = 0.0F}), Layer(ActivationLayer{})}) {
    Functional model;
    const auto shared = model.add(Dense{2, Activation::kTanh}, {model.input({.shape = {3}})});
    const auto left = model.add(identity, {shared});  // backward comes to it after the other one
    const auto right = model.add(Dense{2}, {shared});
    model.output(model.add(Multiply{}, {left, right}));
    const auto device = compute::cpu_device();
    Network network(model, 1, *device);
    expect_right_gradients(network);
  }
}

TEST(Functional, ASharedNormalizationMovesItsAveragesCallByCall) {
  Functional model;
  const auto a = model.input({.shape = {1}, .name = "a"});
  const auto b = model.input({.shape = {1}, .name = "b"});
  const std::size_t norm =
      model.share(BatchNormalization{.momentum = 0.25F, .center = false, .scale = false});
  model.output(model.add(Add{}, {model.call(norm, {a}), model.call(norm, {b})}));
  const auto device = compute::cpu_device();
  Network network(model, 1, *device);
  network.set_objective(MeanSquaredError{}, {});
  const std::vector<float> first{2, 6}, second{10, 30}, targets{0, 0};
  Sums sums;
  network.train_step({.size = 2,
                      .inputs = {tensor::view_of(std::span(first), {2, 1}),
                                 tensor::view_of(std::span(second), {2, 1})},
                      .targets = {tensor::view_of(std::span(targets), {2, 1})}},
                     0, sums);
  // 0 becomes 3, and 3 becomes 15.75.
  const tensor::LayoutEntry& mean = network.layout().at("batch_normalization/moving_mean");
  EXPECT_FLOAT_EQ(network.gradients()[mean.offset], -15.75F);
}

TEST(Functional, CallsOfASharedDropoutDrawTheirOwnNumbers) {
  Functional model;
  const auto in = model.input({.shape = {200}});
  const std::size_t dropout = model.share(Dropout{});
  model.output(model.call(dropout, {in}), "one");
  model.output(model.call(dropout, {in}), "two");
  const auto device = compute::cpu_device();
  Network network(model, 1, *device);
  network.set_objectives({{.loss = MeanAbsoluteError{}}, {.loss = MeanAbsoluteError{}}});
  const std::vector<float> inputs = numbers(200, 5), targets(200, 0.0F);
  const std::vector<std::uint64_t> indices{0};
  tensor::Batch batch{.size = 1,
                      .inputs = {tensor::view_of(std::span(inputs), {1, 200})},
                      .targets = {tensor::view_of(std::span(targets), {1, 200}),
                                  tensor::view_of(std::span(targets), {1, 200})},
                      .example_indices = indices};
  Sums sums;
  network.train_step(batch, 0, sums);
  EXPECT_NE(sums.metrics[0], sums.metrics[1]);
}

TEST(Functional, GradientsOfGraphsBecomeFinalInTheLayoutsOrder) {
  Functional model;
  const auto in = model.input({.shape = {3}});
  const std::size_t twice = model.share(Dense{3, Activation::kTanh});
  auto tensor = model.call(twice, {in});
  tensor = model.add(Dense{.units = 3, .kernel_regularizer = {.l2 = 0.1F}}, {tensor});
  tensor = model.call(twice, {tensor});
  model.output(tensor);
  const auto device = compute::cpu_device();
  Network network(model, 1, *device);
  network.set_objective(MeanSquaredError{}, {});
  std::vector<float> final_gradients(network.layout().count());
  std::size_t done = 0;
  network.set_gradients_ready([&](std::size_t begin, std::size_t end) {
    EXPECT_EQ(begin, done);
    for (std::size_t i = begin; i < end; ++i) final_gradients[i] = network.gradients()[i];
    done = end;
  });
  const Data data(network, 4);
  Sums sums;
  network.train_step(data.batch(), 0, sums);
  EXPECT_EQ(done, network.layout().count());
  EXPECT_TRUE(std::ranges::equal(final_gradients, network.gradients()));
  network.set_gradients_ready({});
  expect_right_gradients(network);
}

TEST(Functional, InputsOfSeveralTypesGoTheirOwnWays) {
  Functional model;
  const auto age = model.input({.shape = {1}, .name = "age"});
  const auto job = model.input({.shape = {1}, .dtype = DType::kString, .name = "job"});
  const auto id = model.add(StringLookup{.vocabulary = {"cook", "smith"}}, {job});
  const auto row = model.add(
      Embedding{.input_dim = 3, .output_dim = 2, .embeddings_initializer = Constant{0.5F}}, {id});
  const auto normal = model.add(Normalization{.mean = {40}, .variance = {100}}, {age});
  const auto joined = model.add(Concatenate{}, {model.add(Flatten{}, {row}), normal});
  model.output(model.add(Dense{.units = 1, .kernel_initializer = Ones{}}, {joined}));
  const auto device = compute::cpu_device();
  Network network(model, 1, *device);
  const std::vector<float> ages{30, 60};
  const std::vector<std::string_view> jobs{"smith", "clown"};
  const tensor::Batch batch{.size = 2,
                            .inputs = {tensor::view_of(std::span(ages), {2, 1}),
                                       tensor::view_of(std::span(jobs), {2, 1})}};
  std::vector<float> out(2);
  network.predict(batch, out);
  EXPECT_EQ(out, (std::vector<float>{0.0F, 3.0F}));
  tensor::Batch less = batch;
  less.inputs.pop_back();
  EXPECT_EQ(message_of([&] { network.predict(less, out); }),
            "[INVALID_ARGUMENT] the batch has 1 inputs, but the model takes 2: age, job. Give one "
            "for each.");
  std::swap(less.inputs[0], less.inputs.emplace_back(batch.inputs[1]));
  EXPECT_NE(message_of([&] {
              network.predict(less, out);
            }).find("input \"age\" is string, but the model takes float32"),
            std::string::npos);
}

TEST(Functional, SeveralOutputsArePredictedTogether) {
  Functional model;
  const auto in = model.input({.shape = {2}});
  const auto hidden = model.add(Dense{.units = 2, .kernel_initializer = Ones{}}, {in});
  model.output(hidden, "sums");
  model.output(model.add(Dense{.units = 1, .kernel_initializer = Ones{}}, {hidden}));
  const auto device = compute::cpu_device();
  Network network(model, 1, *device);
  EXPECT_EQ(network.graph().output_names, (std::vector<std::string>{"sums", "dense_1"}));
  const std::vector<float> inputs{1, 2};
  std::vector<float> sums(2), total(1);
  const std::vector<std::span<float>> outs{sums, total};
  network.predict_all({.size = 1, .inputs = {tensor::view_of(std::span(inputs), {1, 2})}}, outs);
  EXPECT_EQ(sums, (std::vector<float>{3, 3}));
  EXPECT_EQ(total, (std::vector<float>{6}));
}

TEST(Functional, EachMistakeIsNamed) {
  const auto says = [](const Functional& model) {
    return message_of([&] { build_graph(model, 1); });
  };
  const auto has = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  Functional model;
  has(says(model), "the model \"functional\" has no inputs");
  const auto in = model.input({.shape = {3}});
  has(says(model), "has no layers");
  const auto out = model.add(Dense{2}, {in});
  has(says(model), "has no outputs");
  model.output(out);
  EXPECT_EQ(says(model), "no error");
  Functional other = model;
  other.add(Dense{1}, {in});
  has(says(other), "layer 1 (\"dense_1\"): what it gives leads to no output");
  other = model;
  other.input({.shape = {1}, .name = "more"});
  has(says(other), "input 1 (\"more\") leads to no output");
  other = model;
  other.share(Dense{1});
  has(says(other), "layer 1 (\"dense_1\") is never called");
  other = model;
  other.output(other.add(Dense{1}, {{.index = 7}}));
  has(says(other), "layer 1 (\"dense_1\") takes the result of call 7, but 1 of them come before");
  other = model;
  other.output(other.call(0, {out}));
  has(says(other), "its variable \"dense/kernel\" has the shape (3, 2) from its first call");
  other = model;
  other.output(other.add(Add{}, {in}));
  has(says(other), "it takes at least two inputs, but has 1");
  other = model;
  other.output(other.add(Flatten{}, {in, out}));
  has(says(other), "it takes one input, but has 2");
  other = model;
  other.output(other.add(Add{}, {in, out}));
  has(says(other), "layer 1 (\"add\")");
  other = model;
  other.output(other.add(Reshape{.target_shape = {3, -1}}, {out}));
  has(says(other), "Reshape::target_shape is (3, -1), but its input has the shape (2,)");
}

TEST(Functional, SizesThatOverflowAreRefused) {
  constexpr std::int64_t kLarge = std::int64_t{1} << 32;
  constexpr std::int64_t kHuge = std::int64_t{1} << 60;
  const auto says = [](Functional& model, const SymbolicTensor& last) {
    model.output(model.add(Dropout{}, {last}));
    return message_of([&] { build_graph(model, 1); });
  };
  const auto has = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  Functional model;
  const auto large = model.input({.shape = {2 * kLarge}});
  has(says(model, model.add(Reshape{.target_shape = {kLarge, kLarge}}, {large})), "target_shape");
  model = {};
  const auto whole = model.input({.shape = {kHuge}});
  has(says(model, model.add(Concatenate{}, {whole, whole, whole, whole})), "joined tensors");
  model = {};
  const auto image = model.input({.shape = {4, 4, 3}});
  has(says(model, model.add(DepthwiseConv2D{.depth_multiplier = 2 * kHuge}, {image})),
      "output channels");
  model = {};
  const auto line = model.input({.shape = {8, 1}});
  has(says(model,
           model.add(Conv1D{.filters = 1, .kernel_size = 5, .dilation_rate = 4 * kHuge}, {line})),
      "dilation_rate");
  model = {};
  const auto id = model.input({.shape = {1}, .dtype = DType::kInt64});
  model.output(model.add(Dropout{}, {model.add(CategoryEncoding{.num_tokens = kHuge}, {id})}));
  const auto device = compute::cpu_device();
  Network network(model, 1, *device);
  const std::vector<std::int64_t> ids(16, 1);
  std::vector<float> out(1);
  has(message_of([&] {
        network.predict({.size = 16, .inputs = {tensor::view_of(std::span(ids), {16, 1})}}, out);
      }),
      "more than memory can address");
}

TEST(Functional, ItsJsonGivesItBack) {
  Functional model;
  model.name = "all \"kinds\"";
  auto image = model.input({.shape = {8, 8, 1}, .name = "image"});
  auto words = model.input({.shape = {2}, .dtype = DType::kString});
  image = model.add(Conv2D{.filters = 3,
                           .kernel_size = {3, 2},
                           .padding = Padding::kSame,
                           .activation = Activation::kGelu,
                           .kernel_initializer = RandomNormal{.stddev = 0.1F, .seed = 7},
                           .kernel_regularizer = {.l2 = 1e-4F},
                           .name = "conv"},
                    {image});
  image = model.add(BatchNormalization{.momentum = 0.9F}, {image});
  image = model.add(GlobalAveragePooling2D{}, {image});
  words = model.add(StringLookup{.vocabulary = {"a", "b"}, .mask_token = ""}, {words});
  words = model.add(EmbeddingBag{.input_dim = 4, .output_dim = 3, .combiner = Combiner::kMean},
                    {words});
  model.output(model.add(Concatenate{}, {image, words}), "joined");
  const std::string json = to_json(model);
  EXPECT_EQ(functional_from_json(json), model) << json;
  EXPECT_EQ(to_json(functional_from_json(json)), json);
  EXPECT_EQ(json.find("strides"), std::string::npos);  // a default
}

TEST(Functional, JsonThatIsWrongSaysWhere) {
  const auto says = [](const std::string& layer) {
    return message_of([&] {
      functional_from_json(R"({"format": "dtrain-functional-1", "name": "m", "inputs": [],
          "layers": [)" + layer +
                           R"(], "calls": [], "outputs": []})");
    });
  };
  EXPECT_EQ(says(R"({"class_name": "Dense", "units": 3})"), "no error");
  EXPECT_EQ(says(R"({"class_name": "Dense", "units": "3"})"),
            "[INVALID_ARGUMENT] the model's JSON: layers[0].units is \"3\". Give an integer.");
  EXPECT_NE(says(R"({"class_name": "Dense", "activation": "rellu"})")
                .find("layers[0].activation is \"rellu\""),
            std::string::npos);
  EXPECT_NE(says(R"({"class_name": "Danse"})").find("\"Danse\", which there is not"),
            std::string::npos);
  EXPECT_NE(says(R"({"class_name": "Dense", "unit": 3})").find("has the member \"unit\""),
            std::string::npos);
  EXPECT_NE(says("7").find("layers[0] is 7"), std::string::npos);
  const std::string both = R"({"format": "dtrain-functional-1", "name": "m", "inputs": [],
      "layers": [], "calls": [], "outputs": [{"input": 0, "call": 0}]})";
  EXPECT_NE(message_of([&] { functional_from_json(both); }).find("Give an input or a call"),
            std::string::npos);
  Functional latin;
  latin.name = "caf\xe9";
  EXPECT_NE(message_of([&] { (void)to_json(latin); }).find("is not UTF-8"), std::string::npos);
  EXPECT_NE(message_of([] { functional_from_json("{"); }).find("is no JSON"), std::string::npos);
}

}  // namespace
}  // namespace dtrain::inline v0::model
