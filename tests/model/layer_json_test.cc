// Every field of every layer is in a model's JSON.
#include <gtest/gtest.h>

#include <set>

#include "dtrain/functional.h"

namespace dtrain::inline v0 {
namespace {

const Initializer kA = RandomNormal{.mean = 0.5F, .stddev = 0.1F, .seed = 7};
const Initializer kB = Constant{.value = 0.25F};
const Initializer kC = HeUniform{.seed = 9};
const Initializer kD = TruncatedNormal{.mean = -1.0F, .stddev = 2.0F};
const Regularizer kR{.l1 = 0.5F, .l2 = 0.25F};
const Regularizer kS{.l2 = 3.0F};

/// One of each kind; no field has its default, nor one that another field of its type has.
std::vector<Layer> one_of_each() {
  return {
      Dense{7, Activation::kSelu, false, kA, kB, kR, kS, "a"},
      ActivationLayer{Activation::kMish, "b"},
      LeakyReLU{0.125F, "c"},
      Flatten{"d"},
      Reshape{{3, -1, 2}, "e"},
      Dropout{0.25F, 18446744073709551615U, "f"},
      Embedding{5, 6, kA, "g"},
      EmbeddingBag{5, 6, Combiner::kMean, kA, "h"},
      Conv1D{2, 3, 4, Padding::kCausal, 5, 6, Activation::kElu, false, kA, kB, kR, kS, "i"},
      Conv2D{2,
             {3, 4},
             {5, 6},
             Padding::kSame,
             {7, 8},
             9,
             Activation::kElu,
             false,
             kA,
             kB,
             kR,
             kS,
             "j"},
      DepthwiseConv2D{
          {3, 4}, {5, 6}, Padding::kSame, 2, {7, 8}, Activation::kElu, false, kA, kB, kR, kS, "k"},
      MaxPooling1D{3, 4, Padding::kSame, "l"},
      MaxPooling2D{{3, 4}, {5, 6}, Padding::kSame, "m"},
      AveragePooling1D{3, 4, Padding::kSame, "n"},
      AveragePooling2D{{3, 4}, {5, 6}, Padding::kSame, "o"},
      GlobalMaxPooling1D{"p"},
      GlobalMaxPooling2D{"q"},
      GlobalAveragePooling1D{"r"},
      GlobalAveragePooling2D{"s"},
      BatchNormalization{0.5F, 0.25F, false, false, kA, kB, kC, kD, kR, kS, "t"},
      LayerNormalization{0.25F, false, false, kA, kB, kR, kS, "u"},
      Concatenate{2, "v"},
      Add{"w"},
      Multiply{"x"},
      Dot{true, "y"},
      Normalization{{0.5F, -3.0F}, {2.0F, 0.1F}, true, "z"},
      StringLookup{{"first", "se\"cond"}, 3, "", "aa"},
      IntegerLookup{{5, -7}, 3, -1, "ab"},
      Hashing{11, "mask", "ac"},
      Discretization{{-0.5F, 0.1F}, "ad"},
      CategoryEncoding{4, CategoryOutput::kCount, "ae"},
  };
}

TEST(LayerJson, HasEveryInitializer) {
  const std::vector<Initializer> all = {
      Zeros{},
      Ones{},
      kB,
      RandomUniform{0.5F, 0.75F, 3},
      kA,
      kD,
      GlorotUniform{1},
      GlorotNormal{2},
      kC,
      HeNormal{3},
      LecunUniform{4},
      LecunNormal{5},
      VarianceScaling{2.0F, FanMode::kFanAvg, ScaledDistribution::kUntruncatedNormal, 6},
      Orthogonal{0.5F, 7},
      Identity{0.25F}};
  std::set<std::size_t> kinds;
  for (const Initializer& initializer : all) {
    const Functional model{.layers = {Dense{.units = 1, .kernel_initializer = initializer}}};
    EXPECT_EQ(functional_from_json(to_json(model)), model) << to_json(model);
    kinds.insert(initializer.index());
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<InitializerKind>) << "an initializer is not tested";
}

TEST(LayerJson, HasEveryFieldOfEveryLayer) {
  std::set<std::size_t> kinds;
  for (const Layer& layer : one_of_each()) {
    const Functional model{.name = "m", .layers = {layer}};
    const std::string json = to_json(model);
    EXPECT_EQ(functional_from_json(json), model) << json;
    kinds.insert(layer.index());
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<Layer>) << "a kind of layer is not tested";
}

}  // namespace
}  // namespace dtrain::inline v0
