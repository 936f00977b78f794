#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dtrain/activation.h"
#include "dtrain/convolution_layers.h"
#include "dtrain/initializers.h"
#include "dtrain/preprocessing_layers.h"
#include "dtrain/regularizer.h"
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
  Regularizer kernel_regularizer = {};
  Regularizer bias_regularizer = {};
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
/// 1 / (1 - rate) (keras.layers.Dropout). Which ones depends on the seed, the layer and its call,
/// the step and the example's index in the data set, not on how the batch is spread over workers or
/// devices.
struct Dropout {
  float rate = 0.5F;                       ///< In [0, 1).
  std::optional<std::uint64_t> seed = {};  ///< Instead of the model's.
  std::string name = {};                   ///< Empty: "dropout", "dropout_1", ...

  bool operator==(const Dropout&) const = default;
};

/// Ids become rows of a table (keras.layers.Embedding): an input of shape (k) an output of shape
/// (k, output_dim). It takes an input of the model, or what a preprocessing layer gives. Variable
/// "<name>/embeddings" (input_dim, output_dim);
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

/// How EmbeddingBag makes one row of several.
enum class Combiner { kSum, kMean };

/// Rows of a table for k ids, added up (tf.keras's embedding bag; TensorFlow's
/// safe_embedding_lookup_sparse): an input of shape (k) an output of shape (output_dim). Otherwise
/// as Embedding, and the same numbers as Embedding followed by a sum or mean over the ids.
struct EmbeddingBag {
  std::int64_t input_dim = 0;   ///< How many ids there are, at least 1.
  std::int64_t output_dim = 0;  ///< At least 1.
  Combiner combiner = Combiner::kSum;
  Initializer embeddings_initializer = RandomUniform{};
  std::string name = {};  ///< Empty: "embedding_bag", "embedding_bag_1", ...

  bool operator==(const EmbeddingBag&) const = default;
};

/// Gives an example another shape of as many elements (keras.layers.Reshape).
struct Reshape {
  Shape target_shape = {};  ///< Without the batch. One size may be -1: whatever is left.
  std::string name = {};    ///< Empty: "reshape", "reshape_1", ...

  bool operator==(const Reshape&) const = default;
};

/// `x`, or `negative_slope * x` below 0 (keras.layers.LeakyReLU).
struct LeakyReLU {
  float negative_slope = 0.3F;  ///< At least 0.
  std::string name = {};        ///< Empty: "leaky_re_lu", "leaky_re_lu_1", ...

  bool operator==(const LeakyReLU&) const = default;
};

/// Normalises each element of the last dimension over the batch and all other dimensions
/// (keras.layers.BatchNormalization): with the batch's mean and variance while training, with
/// running averages of them otherwise. Variables "<name>/gamma", "<name>/beta" and, trained by no
/// optimizer, "<name>/moving_mean" and "<name>/moving_variance".
///
/// With several workers each normalises by its own part of the batch, and the averages are the mean
/// of the workers' weighted by their examples.
struct BatchNormalization {
  float momentum = 0.99F;  ///< Of the running averages, in [0, 1].
  float epsilon = 1e-3F;   ///< Above 0; added to variances.
  bool center = true;      ///< Adds beta.
  bool scale = true;       ///< Multiplies by gamma.
  Initializer beta_initializer = Zeros{};
  Initializer gamma_initializer = Ones{};
  Initializer moving_mean_initializer = Zeros{};
  Initializer moving_variance_initializer = Ones{};
  Regularizer beta_regularizer = {};
  Regularizer gamma_regularizer = {};
  std::string name = {};  ///< Empty: "batch_normalization", ...

  bool operator==(const BatchNormalization&) const = default;
};

/// Normalises over the last dimension (keras.layers.LayerNormalization). Variables "<name>/gamma"
/// and "<name>/beta".
struct LayerNormalization {
  float epsilon = 1e-3F;  ///< Above 0; added to variances.
  bool center = true;     ///< Adds beta.
  bool scale = true;      ///< Multiplies by gamma.
  Initializer beta_initializer = Zeros{};
  Initializer gamma_initializer = Ones{};
  Regularizer beta_regularizer = {};
  Regularizer gamma_regularizer = {};
  std::string name = {};  ///< Empty: "layer_normalization", ...

  bool operator==(const LayerNormalization&) const = default;
};

/// Puts inputs one behind the other along a dimension (keras.layers.Concatenate).
struct Concatenate {
  int axis = -1;          ///< Counts the batch, as in Keras: 1 is an example's first; -1 the last.
  std::string name = {};  ///< Empty: "concatenate", ...

  bool operator==(const Concatenate&) const = default;
};

/// The sum of inputs of one shape (keras.layers.Add).
struct Add {
  std::string name = {};  ///< Empty: "add", ...

  bool operator==(const Add&) const = default;
};

/// The product of inputs of one shape, element by element (keras.layers.Multiply).
struct Multiply {
  std::string name = {};  ///< Empty: "multiply", ...

  bool operator==(const Multiply&) const = default;
};

/// The dot product of two vectors per example (keras.layers.Dot with axes = 1): two inputs of shape
/// (n) give (1).
struct Dot {
  bool normalize = false;  ///< Divides each by its length first: the cosine.
  std::string name = {};   ///< Empty: "dot", ...

  bool operator==(const Dot&) const = default;
};

/// One layer's description.
using Layer =
    std::variant<Dense, ActivationLayer, LeakyReLU, Flatten, Reshape, Dropout, Embedding,
                 EmbeddingBag, Conv1D, Conv2D, DepthwiseConv2D, MaxPooling1D, MaxPooling2D,
                 AveragePooling1D, AveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D,
                 GlobalAveragePooling1D, GlobalAveragePooling2D, BatchNormalization,
                 LayerNormalization, Concatenate, Add, Multiply, Dot, Normalization, StringLookup,
                 IntegerLookup, Hashing, Discretization, CategoryEncoding>;

}  // namespace dtrain::inline v0
