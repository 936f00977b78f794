#include "model/graph.h"

#include <gtest/gtest.h>

#include "dtrain/error.h"

namespace dtrain::inline v0::model {
namespace {

std::string message_of(const Sequential& description) {
  try {
    build_graph(to_functional(description), 1);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "valid";
}

TEST(Graph, LayersAreNamedAsKerasCounts) {
  const Sequential description{
      .input_shape = {4},
      .layers = {Dense{3}, Dropout{}, Dense{.units = 2, .name = "mine"}, Dense{2}, Dropout{},
                 Flatten{}, ActivationLayer{Activation::kRelu}}};
  EXPECT_EQ(layer_names(to_functional(description)),
            (std::vector<std::string>{"dense", "dropout", "mine", "dense_1", "dropout_1", "flatten",
                                      "activation"}));
}

TEST(Graph, ShapesAreInferred) {
  const Graph graph =
      build_graph(to_functional({.input_shape = {8, 8, 2},
                                 .layers = {Dense{5}, Flatten{}, Dense{10, Activation::kSoftmax}}}),
                  1);
  ASSERT_EQ(graph.calls.size(), 3U);
  const auto shape_of = [&](std::size_t tensor) { return graph.tensors[tensor].shape; };
  EXPECT_EQ(shape_of(graph.results[0]), (Shape{8, 8, 5}));
  EXPECT_EQ(shape_of(graph.results[1]), (Shape{320}));
  const auto first = graph.calls[0].operation->variables();
  const auto second = graph.calls[1].operation->variables();
  EXPECT_EQ(first[0].shape, (Shape{2, 5}));
  EXPECT_EQ(second[0].shape, (Shape{320, 10}));
  EXPECT_EQ(second[0].name, "dense_1/kernel");
  EXPECT_EQ(second[1].name, "dense_1/bias");
  EXPECT_EQ(graph.calls[2].operation->activation(), Activation::kSoftmax);
  EXPECT_EQ(shape_of(graph.outputs[0]), (Shape{10}));
}

TEST(Graph, EachMistakeNamesItsLayerAndValue) {
  EXPECT_EQ(message_of({.layers = {Dense{1}}}),
            "[INVALID_ARGUMENT] Sequential::input_shape is empty. Give the shape of one example, "
            "such as {64} for 64 features.");
  EXPECT_EQ(message_of({.input_shape = {28, 0}, .layers = {Dense{1}}}),
            "[INVALID_ARGUMENT] input 0 (\"input\") has the shape (28, 0). Give the shape of one "
            "example, "
            "without the batch: sizes of at least 1 whose product memory can address.");
  EXPECT_EQ(message_of({.input_shape = {3}}),
            "[INVALID_ARGUMENT] Sequential::layers is empty. Give at least one layer.");
  EXPECT_EQ(message_of({.input_shape = {3}, .layers = {Dense{3}, Dense{}}}),
            "[INVALID_ARGUMENT] layer 1 (\"dense_1\"): Dense::units is 0. Give it at least 1 "
            "unit.");
  EXPECT_EQ(message_of({.input_shape = {3}, .layers = {Dropout{.rate = 1.0F, .name = "d"}}}),
            "[INVALID_ARGUMENT] layer 0 (\"d\"): Dropout::rate is 1. Give a number in [0, 1).");
  EXPECT_EQ(message_of({.input_shape = {3},
                        .layers = {Dense{.units = 1,
                                         .kernel_initializer = RandomNormal{.stddev = -2.0F}}}}),
            "[INVALID_ARGUMENT] layer 0 (\"dense\"): kernel_initializer: RandomNormal::stddev is "
            "-2. Give a number of at least 0.");
  EXPECT_EQ(message_of({.input_shape = {1LL << 40}, .layers = {Dense{1LL << 40}}}),
            "[INVALID_ARGUMENT] layer 0 (\"dense\"): 1099511627776 inputs and 1099511627776 units "
            "are more than memory can address. Use fewer of them.");
}

TEST(Graph, NamesMustBeUniqueAndWithoutSlash) {
  EXPECT_EQ(
      message_of({.input_shape = {3}, .layers = {Dense{3}, Dense{.units = 1, .name = "dense"}}}),
      "[INVALID_ARGUMENT] layers 0 and 1 are both named \"dense\". Give every layer a name "
      "of its own, or none.");
  EXPECT_EQ(message_of({.input_shape = {3}, .layers = {Dense{.units = 1, .name = "a/b"}}}),
            "[INVALID_ARGUMENT] layer 0 is named \"a/b\". Names of layers must not contain '/'.");
}

}  // namespace
}  // namespace dtrain::inline v0::model
