#pragma once

#include <tuple>

#include "dtrain/initializers.h"
#include "dtrain/layers.h"

namespace dtrain::inline v0::model {

template <typename Struct, typename Member>
struct LayerField {
  const char* name;
  Member Struct::*member;
};
template <typename Struct, typename Member>
LayerField(const char*, Member Struct::*) -> LayerField<Struct, Member>;

/// The one list of what a layer or an initializer is made of, beside its name: Keras's class
/// (kClass), the name that Keras gives the first of them (kDefaultName, of layers), and the fields
/// in the struct's order (kFields).
template <typename Kind>
struct LayerFields;

template <>
struct LayerFields<Dense> {
  static constexpr const char* kClass = "Dense";
  static constexpr const char* kDefaultName = "dense";
  static constexpr auto kFields =
      std::tuple(LayerField{"units", &Dense::units}, LayerField{"activation", &Dense::activation},
                 LayerField{"use_bias", &Dense::use_bias},
                 LayerField{"kernel_initializer", &Dense::kernel_initializer},
                 LayerField{"bias_initializer", &Dense::bias_initializer},
                 LayerField{"kernel_regularizer", &Dense::kernel_regularizer},
                 LayerField{"bias_regularizer", &Dense::bias_regularizer});
};

template <>
struct LayerFields<ActivationLayer> {
  static constexpr const char* kClass = "Activation";
  static constexpr const char* kDefaultName = "activation";
  static constexpr auto kFields =
      std::tuple(LayerField{"activation", &ActivationLayer::activation});
};

template <>
struct LayerFields<LeakyReLU> {
  static constexpr const char* kClass = "LeakyReLU";
  static constexpr const char* kDefaultName = "leaky_re_lu";
  static constexpr auto kFields =
      std::tuple(LayerField{"negative_slope", &LeakyReLU::negative_slope});
};

template <>
struct LayerFields<Flatten> {
  static constexpr const char* kClass = "Flatten";
  static constexpr const char* kDefaultName = "flatten";
  static constexpr auto kFields = std::tuple<>();
};

template <>
struct LayerFields<Reshape> {
  static constexpr const char* kClass = "Reshape";
  static constexpr const char* kDefaultName = "reshape";
  static constexpr auto kFields = std::tuple(LayerField{"target_shape", &Reshape::target_shape});
};

template <>
struct LayerFields<Dropout> {
  static constexpr const char* kClass = "Dropout";
  static constexpr const char* kDefaultName = "dropout";
  static constexpr auto kFields =
      std::tuple(LayerField{"rate", &Dropout::rate}, LayerField{"seed", &Dropout::seed});
};

template <>
struct LayerFields<Embedding> {
  static constexpr const char* kClass = "Embedding";
  static constexpr const char* kDefaultName = "embedding";
  static constexpr auto kFields =
      std::tuple(LayerField{"input_dim", &Embedding::input_dim},
                 LayerField{"output_dim", &Embedding::output_dim},
                 LayerField{"embeddings_initializer", &Embedding::embeddings_initializer});
};

template <>
struct LayerFields<EmbeddingBag> {
  static constexpr const char* kClass = "EmbeddingBag";
  static constexpr const char* kDefaultName = "embedding_bag";
  static constexpr auto kFields =
      std::tuple(LayerField{"input_dim", &EmbeddingBag::input_dim},
                 LayerField{"output_dim", &EmbeddingBag::output_dim},
                 LayerField{"combiner", &EmbeddingBag::combiner},
                 LayerField{"embeddings_initializer", &EmbeddingBag::embeddings_initializer});
};

template <>
struct LayerFields<Conv1D> {
  static constexpr const char* kClass = "Conv1D";
  static constexpr const char* kDefaultName = "conv1d";
  static constexpr auto kFields = std::tuple(
      LayerField{"filters", &Conv1D::filters}, LayerField{"kernel_size", &Conv1D::kernel_size},
      LayerField{"strides", &Conv1D::strides}, LayerField{"padding", &Conv1D::padding},
      LayerField{"dilation_rate", &Conv1D::dilation_rate}, LayerField{"groups", &Conv1D::groups},
      LayerField{"activation", &Conv1D::activation}, LayerField{"use_bias", &Conv1D::use_bias},
      LayerField{"kernel_initializer", &Conv1D::kernel_initializer},
      LayerField{"bias_initializer", &Conv1D::bias_initializer},
      LayerField{"kernel_regularizer", &Conv1D::kernel_regularizer},
      LayerField{"bias_regularizer", &Conv1D::bias_regularizer});
};

template <>
struct LayerFields<Conv2D> {
  static constexpr const char* kClass = "Conv2D";
  static constexpr const char* kDefaultName = "conv2d";
  static constexpr auto kFields = std::tuple(
      LayerField{"filters", &Conv2D::filters}, LayerField{"kernel_size", &Conv2D::kernel_size},
      LayerField{"strides", &Conv2D::strides}, LayerField{"padding", &Conv2D::padding},
      LayerField{"dilation_rate", &Conv2D::dilation_rate}, LayerField{"groups", &Conv2D::groups},
      LayerField{"activation", &Conv2D::activation}, LayerField{"use_bias", &Conv2D::use_bias},
      LayerField{"kernel_initializer", &Conv2D::kernel_initializer},
      LayerField{"bias_initializer", &Conv2D::bias_initializer},
      LayerField{"kernel_regularizer", &Conv2D::kernel_regularizer},
      LayerField{"bias_regularizer", &Conv2D::bias_regularizer});
};

template <>
struct LayerFields<DepthwiseConv2D> {
  static constexpr const char* kClass = "DepthwiseConv2D";
  static constexpr const char* kDefaultName = "depthwise_conv2d";
  static constexpr auto kFields =
      std::tuple(LayerField{"kernel_size", &DepthwiseConv2D::kernel_size},
                 LayerField{"strides", &DepthwiseConv2D::strides},
                 LayerField{"padding", &DepthwiseConv2D::padding},
                 LayerField{"depth_multiplier", &DepthwiseConv2D::depth_multiplier},
                 LayerField{"dilation_rate", &DepthwiseConv2D::dilation_rate},
                 LayerField{"activation", &DepthwiseConv2D::activation},
                 LayerField{"use_bias", &DepthwiseConv2D::use_bias},
                 LayerField{"depthwise_initializer", &DepthwiseConv2D::depthwise_initializer},
                 LayerField{"bias_initializer", &DepthwiseConv2D::bias_initializer},
                 LayerField{"depthwise_regularizer", &DepthwiseConv2D::depthwise_regularizer},
                 LayerField{"bias_regularizer", &DepthwiseConv2D::bias_regularizer});
};

template <>
struct LayerFields<MaxPooling1D> {
  static constexpr const char* kClass = "MaxPooling1D";
  static constexpr const char* kDefaultName = "max_pooling1d";
  static constexpr auto kFields = std::tuple(LayerField{"pool_size", &MaxPooling1D::pool_size},
                                             LayerField{"strides", &MaxPooling1D::strides},
                                             LayerField{"padding", &MaxPooling1D::padding});
};

template <>
struct LayerFields<MaxPooling2D> {
  static constexpr const char* kClass = "MaxPooling2D";
  static constexpr const char* kDefaultName = "max_pooling2d";
  static constexpr auto kFields = std::tuple(LayerField{"pool_size", &MaxPooling2D::pool_size},
                                             LayerField{"strides", &MaxPooling2D::strides},
                                             LayerField{"padding", &MaxPooling2D::padding});
};

template <>
struct LayerFields<AveragePooling1D> {
  static constexpr const char* kClass = "AveragePooling1D";
  static constexpr const char* kDefaultName = "average_pooling1d";
  static constexpr auto kFields = std::tuple(LayerField{"pool_size", &AveragePooling1D::pool_size},
                                             LayerField{"strides", &AveragePooling1D::strides},
                                             LayerField{"padding", &AveragePooling1D::padding});
};

template <>
struct LayerFields<AveragePooling2D> {
  static constexpr const char* kClass = "AveragePooling2D";
  static constexpr const char* kDefaultName = "average_pooling2d";
  static constexpr auto kFields = std::tuple(LayerField{"pool_size", &AveragePooling2D::pool_size},
                                             LayerField{"strides", &AveragePooling2D::strides},
                                             LayerField{"padding", &AveragePooling2D::padding});
};

template <>
struct LayerFields<GlobalMaxPooling1D> {
  static constexpr const char* kClass = "GlobalMaxPooling1D";
  static constexpr const char* kDefaultName = "global_max_pooling1d";
  static constexpr auto kFields = std::tuple<>();
};

template <>
struct LayerFields<GlobalMaxPooling2D> {
  static constexpr const char* kClass = "GlobalMaxPooling2D";
  static constexpr const char* kDefaultName = "global_max_pooling2d";
  static constexpr auto kFields = std::tuple<>();
};

template <>
struct LayerFields<GlobalAveragePooling1D> {
  static constexpr const char* kClass = "GlobalAveragePooling1D";
  static constexpr const char* kDefaultName = "global_average_pooling1d";
  static constexpr auto kFields = std::tuple<>();
};

template <>
struct LayerFields<GlobalAveragePooling2D> {
  static constexpr const char* kClass = "GlobalAveragePooling2D";
  static constexpr const char* kDefaultName = "global_average_pooling2d";
  static constexpr auto kFields = std::tuple<>();
};

template <>
struct LayerFields<BatchNormalization> {
  static constexpr const char* kClass = "BatchNormalization";
  static constexpr const char* kDefaultName = "batch_normalization";
  static constexpr auto kFields = std::tuple(
      LayerField{"momentum", &BatchNormalization::momentum},
      LayerField{"epsilon", &BatchNormalization::epsilon},
      LayerField{"center", &BatchNormalization::center},
      LayerField{"scale", &BatchNormalization::scale},
      LayerField{"beta_initializer", &BatchNormalization::beta_initializer},
      LayerField{"gamma_initializer", &BatchNormalization::gamma_initializer},
      LayerField{"moving_mean_initializer", &BatchNormalization::moving_mean_initializer},
      LayerField{"moving_variance_initializer", &BatchNormalization::moving_variance_initializer},
      LayerField{"beta_regularizer", &BatchNormalization::beta_regularizer},
      LayerField{"gamma_regularizer", &BatchNormalization::gamma_regularizer});
};

template <>
struct LayerFields<LayerNormalization> {
  static constexpr const char* kClass = "LayerNormalization";
  static constexpr const char* kDefaultName = "layer_normalization";
  static constexpr auto kFields =
      std::tuple(LayerField{"epsilon", &LayerNormalization::epsilon},
                 LayerField{"center", &LayerNormalization::center},
                 LayerField{"scale", &LayerNormalization::scale},
                 LayerField{"beta_initializer", &LayerNormalization::beta_initializer},
                 LayerField{"gamma_initializer", &LayerNormalization::gamma_initializer},
                 LayerField{"beta_regularizer", &LayerNormalization::beta_regularizer},
                 LayerField{"gamma_regularizer", &LayerNormalization::gamma_regularizer});
};

template <>
struct LayerFields<Concatenate> {
  static constexpr const char* kClass = "Concatenate";
  static constexpr const char* kDefaultName = "concatenate";
  static constexpr auto kFields = std::tuple(LayerField{"axis", &Concatenate::axis});
};

template <>
struct LayerFields<Add> {
  static constexpr const char* kClass = "Add";
  static constexpr const char* kDefaultName = "add";
  static constexpr auto kFields = std::tuple<>();
};

template <>
struct LayerFields<Multiply> {
  static constexpr const char* kClass = "Multiply";
  static constexpr const char* kDefaultName = "multiply";
  static constexpr auto kFields = std::tuple<>();
};

template <>
struct LayerFields<Dot> {
  static constexpr const char* kClass = "Dot";
  static constexpr const char* kDefaultName = "dot";
  static constexpr auto kFields = std::tuple(LayerField{"normalize", &Dot::normalize});
};

template <>
struct LayerFields<Normalization> {
  static constexpr const char* kClass = "Normalization";
  static constexpr const char* kDefaultName = "normalization";
  static constexpr auto kFields = std::tuple(LayerField{"mean", &Normalization::mean},
                                             LayerField{"variance", &Normalization::variance},
                                             LayerField{"invert", &Normalization::invert});
};

template <>
struct LayerFields<StringLookup> {
  static constexpr const char* kClass = "StringLookup";
  static constexpr const char* kDefaultName = "string_lookup";
  static constexpr auto kFields =
      std::tuple(LayerField{"vocabulary", &StringLookup::vocabulary},
                 LayerField{"num_oov_indices", &StringLookup::num_oov_indices},
                 LayerField{"mask_token", &StringLookup::mask_token});
};

template <>
struct LayerFields<IntegerLookup> {
  static constexpr const char* kClass = "IntegerLookup";
  static constexpr const char* kDefaultName = "integer_lookup";
  static constexpr auto kFields =
      std::tuple(LayerField{"vocabulary", &IntegerLookup::vocabulary},
                 LayerField{"num_oov_indices", &IntegerLookup::num_oov_indices},
                 LayerField{"mask_token", &IntegerLookup::mask_token});
};

template <>
struct LayerFields<Hashing> {
  static constexpr const char* kClass = "Hashing";
  static constexpr const char* kDefaultName = "hashing";
  static constexpr auto kFields = std::tuple(LayerField{"num_bins", &Hashing::num_bins},
                                             LayerField{"mask_value", &Hashing::mask_value});
};

template <>
struct LayerFields<Discretization> {
  static constexpr const char* kClass = "Discretization";
  static constexpr const char* kDefaultName = "discretization";
  static constexpr auto kFields =
      std::tuple(LayerField{"bin_boundaries", &Discretization::bin_boundaries});
};

template <>
struct LayerFields<CategoryEncoding> {
  static constexpr const char* kClass = "CategoryEncoding";
  static constexpr const char* kDefaultName = "category_encoding";
  static constexpr auto kFields =
      std::tuple(LayerField{"num_tokens", &CategoryEncoding::num_tokens},
                 LayerField{"output_mode", &CategoryEncoding::output_mode});
};

template <>
struct LayerFields<Zeros> {
  static constexpr const char* kClass = "Zeros";
  static constexpr auto kFields = std::tuple<>();
};

template <>
struct LayerFields<Ones> {
  static constexpr const char* kClass = "Ones";
  static constexpr auto kFields = std::tuple<>();
};

template <>
struct LayerFields<Constant> {
  static constexpr const char* kClass = "Constant";
  static constexpr auto kFields = std::tuple(LayerField{"value", &Constant::value});
};

template <>
struct LayerFields<RandomUniform> {
  static constexpr const char* kClass = "RandomUniform";
  static constexpr auto kFields = std::tuple(LayerField{"minval", &RandomUniform::minval},
                                             LayerField{"maxval", &RandomUniform::maxval},
                                             LayerField{"seed", &RandomUniform::seed});
};

template <>
struct LayerFields<RandomNormal> {
  static constexpr const char* kClass = "RandomNormal";
  static constexpr auto kFields = std::tuple(LayerField{"mean", &RandomNormal::mean},
                                             LayerField{"stddev", &RandomNormal::stddev},
                                             LayerField{"seed", &RandomNormal::seed});
};

template <>
struct LayerFields<TruncatedNormal> {
  static constexpr const char* kClass = "TruncatedNormal";
  static constexpr auto kFields = std::tuple(LayerField{"mean", &TruncatedNormal::mean},
                                             LayerField{"stddev", &TruncatedNormal::stddev},
                                             LayerField{"seed", &TruncatedNormal::seed});
};

template <>
struct LayerFields<GlorotUniform> {
  static constexpr const char* kClass = "GlorotUniform";
  static constexpr auto kFields = std::tuple(LayerField{"seed", &GlorotUniform::seed});
};

template <>
struct LayerFields<GlorotNormal> {
  static constexpr const char* kClass = "GlorotNormal";
  static constexpr auto kFields = std::tuple(LayerField{"seed", &GlorotNormal::seed});
};

template <>
struct LayerFields<HeUniform> {
  static constexpr const char* kClass = "HeUniform";
  static constexpr auto kFields = std::tuple(LayerField{"seed", &HeUniform::seed});
};

template <>
struct LayerFields<HeNormal> {
  static constexpr const char* kClass = "HeNormal";
  static constexpr auto kFields = std::tuple(LayerField{"seed", &HeNormal::seed});
};

template <>
struct LayerFields<LecunUniform> {
  static constexpr const char* kClass = "LecunUniform";
  static constexpr auto kFields = std::tuple(LayerField{"seed", &LecunUniform::seed});
};

template <>
struct LayerFields<LecunNormal> {
  static constexpr const char* kClass = "LecunNormal";
  static constexpr auto kFields = std::tuple(LayerField{"seed", &LecunNormal::seed});
};

template <>
struct LayerFields<VarianceScaling> {
  static constexpr const char* kClass = "VarianceScaling";
  static constexpr auto kFields = std::tuple(
      LayerField{"scale", &VarianceScaling::scale}, LayerField{"mode", &VarianceScaling::mode},
      LayerField{"distribution", &VarianceScaling::distribution},
      LayerField{"seed", &VarianceScaling::seed});
};

template <>
struct LayerFields<Orthogonal> {
  static constexpr const char* kClass = "Orthogonal";
  static constexpr auto kFields =
      std::tuple(LayerField{"gain", &Orthogonal::gain}, LayerField{"seed", &Orthogonal::seed});
};

template <>
struct LayerFields<Identity> {
  static constexpr const char* kClass = "Identity";
  static constexpr auto kFields = std::tuple(LayerField{"gain", &Identity::gain});
};

}  // namespace dtrain::inline v0::model
