#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dtrain/activation.h"
#include "dtrain/initializers.h"
#include "dtrain/variable.h"

namespace dtrain::inline v0 {

/// `activation(input · kernel + bias)` over the last dimension (keras.layers.Dense). Variables
/// "<name>/kernel" (inputs, units) and "<name>/bias" (units).
struct Dense {
  std::int64_t units = 0;  ///< At least 1.
  Activation activation = Activation::kLinear;
  bool use_bias = true;
  Initializer kernel_initializer = GlorotUniform{};
  Initializer bias_initializer = Zeros{};
  std::string name = {};  ///< Empty: "dense", "dense_1", ... in order.

  bool operator==(const Dense&) const = default;
};

/// An activation as a layer of its own (keras.layers.Activation).
struct ActivationLayer {
  Activation activation = Activation::kLinear;
  std::string name = {};  ///< Empty: "activation", "activation_1", ...

  bool operator==(const ActivationLayer&) const = default;
};

/// Makes one dimension of all of an example's (keras.layers.Flatten).
struct Flatten {
  std::string name = {};  ///< Empty: "flatten", "flatten_1", ...

  bool operator==(const Flatten&) const = default;
};

/// While training, sets each input to 0 with probability `rate` and multiplies the others by
/// 1 / (1 - rate) (keras.layers.Dropout). Which ones depends on the seed, the layer, the step and
/// the example's index in the data set, not on how the batch is spread over workers or devices.
struct Dropout {
  float rate = 0.5F;                       ///< In [0, 1).
  std::optional<std::uint64_t> seed = {};  ///< Instead of the model's.
  std::string name = {};                   ///< Empty: "dropout", "dropout_1", ...

  bool operator==(const Dropout&) const = default;
};

/// Ids become rows of a table (keras.layers.Embedding): an input of shape (k) an output of shape
/// (k, output_dim). The first layer only. Variable "<name>/embeddings" (input_dim, output_dim);
/// under a parameter server it is a table of rows on the servers, and a worker holds the rows of
/// its batch.
///
/// Ids are integers from 0 to input_dim - 1. Data of floats may hold those below 16777216 (2^24),
/// where floats cease to tell integers apart; beyond that, give integer features.
struct Embedding {
  std::int64_t input_dim = 0;   ///< How many ids there are, at least 1.
  std::int64_t output_dim = 0;  ///< At least 1.
  Initializer embeddings_initializer = RandomUniform{};
  std::string name = {};  ///< Empty: "embedding", "embedding_1", ...

  bool operator==(const Embedding&) const = default;
};

/// One layer's description.
using Layer = std::variant<Dense, ActivationLayer, Flatten, Dropout, Embedding>;

/// A stack of layers, each fed by the one before it (keras.Sequential).
struct Sequential {
  Shape input_shape;  ///< One example's, without the batch: {64}, or {28, 28, 1}.
  std::vector<Layer> layers;
  std::string name = "sequential";

  bool operator==(const Sequential&) const = default;
};

}  // namespace dtrain::inline v0
