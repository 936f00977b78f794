#include "training_workloads.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "training_data.h"

namespace {

using dtrain::Activation;
using dtrain::Dense;

constexpr std::int64_t kRows = 1'000'000;
constexpr std::int64_t kIds = 26;

dtrain::Functional stack(dtrain::Shape input, std::vector<dtrain::Layer> layers) {
  return dtrain::to_functional({.input_shape = std::move(input), .layers = std::move(layers)});
}

dtrain::Functional convnet() {
  const auto convolution = [](std::int64_t filters) {
    return dtrain::Conv2D{
        .filters = filters, .kernel_size = {3, 3}, .activation = Activation::kRelu};
  };
  return stack({28, 28, 1},
               {convolution(16), dtrain::MaxPooling2D{}, convolution(32), dtrain::MaxPooling2D{},
                dtrain::Flatten{}, Dense{64, Activation::kRelu}, Dense{10}});
}

/// A weight for each id, added up (wide), and a small network over rows of 8 and the numbers
/// (deep).
dtrain::Functional wide_and_deep() {
  dtrain::Functional model{.name = "wide_and_deep"};
  std::vector<dtrain::SymbolicTensor> wide, deep;
  for (const IdColumn& column : census_columns()) {
    const auto id =
        model.input({.shape = {1}, .dtype = dtrain::DType::kInt64, .name = column.name});
    const auto row_of = [&](std::int64_t width) {
      return model.add(dtrain::EmbeddingBag{.input_dim = column.ids, .output_dim = width}, {id});
    };
    wide.push_back(row_of(1));
    deep.push_back(row_of(8));
  }
  deep.push_back(model.input({.shape = {kCensusNumbers}, .name = "numbers"}));
  auto hidden = model.add(dtrain::Concatenate{}, deep);
  hidden = model.add(Dense{64, Activation::kRelu}, {hidden});
  hidden = model.add(Dense{32, Activation::kRelu}, {hidden});
  wide.push_back(model.add(Dense{1}, {hidden}));
  model.output(model.add(dtrain::Add{}, wide), "income");
  return model;
}

auto images(dtrain::Shape shape) {
  return [shape = std::move(shape)](std::size_t examples) { return make_images(examples, shape); };
}

std::vector<Workload> all_workloads() {
  const dtrain::Loss cross_entropy = dtrain::SparseCategoricalCrossentropy{.from_logits = true};
  const dtrain::Adam adam{.learning_rate = 1e-3F};
  return {
      {.name = "mlp",
       .batch = 64,
       .model =
           [] {
             return stack({784}, {Dense{1024, Activation::kRelu}, Dense{1024, Activation::kRelu},
                                  Dense{10}});
           },
       .loss = cross_entropy,
       .optimizer = dtrain::Sgd{.learning_rate = 0.02F},
       .data = images({784})},
      {.name = "small",
       .batch = 64,
       .model =
           [] {
             return stack({64}, {Dense{128, Activation::kRelu}, Dense{10}});
           },
       .loss = cross_entropy,
       .optimizer = adam,
       .data = images({64})},
      {.name = "convnet",
       .batch = 64,
       .model = convnet,
       .loss = cross_entropy,
       .optimizer = adam,
       .data = images({28, 28, 1})},
      {.name = "wide",
       .batch = 256,
       .model = wide_and_deep,
       .loss = dtrain::BinaryCrossentropy{.from_logits = true},
       .optimizer = adam,
       .data = make_census},
      // Under a parameter server the table is the servers', who draw its values.
      {.name = "embedding",
       .batch = 1024,
       .model =
           [] {
             return dtrain::to_functional(
                 {.input_shape = {kIds},
                  .layers = {dtrain::Embedding{.input_dim = kRows, .output_dim = 32},
                             dtrain::Flatten{}, Dense{1}},
                  .input_dtype = dtrain::DType::kInt64});
           },
       .loss = dtrain::MeanSquaredError{},
       .optimizer = dtrain::Sgd{.learning_rate = 0.2F},
       .data = [](std::size_t examples) { return make_clicks(examples, kIds, kRows); },
       .as_peers = false},
  };
}

}  // namespace

Workload workload(const std::string& name) {
  std::string names;
  for (Workload& one : all_workloads()) {
    if (one.name == name) return std::move(one);
    names += (names.empty() ? "" : ", ") + one.name;
  }
  throw dtrain::Error(dtrain::ErrorCode::kInvalidArgument, "--model is " + name,
                      "Use one of " + names);
}
