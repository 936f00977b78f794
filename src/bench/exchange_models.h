#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "dtrain/variable.h"

namespace dtrain::inline v0::bench {

/// Elements of a shape.
std::uint64_t element_count(const Shape& shape);

/// The 161 trainable tensors of ResNet-50 for 1,000 classes, 25,557,032 floats, in the order of its
/// layers: bottleneck blocks 3, 4, 6, 3, convolutions without bias, each followed by a batch
/// normalisation's scale and offset; one dense layer. (He et al., "Deep Residual Learning for Image
/// Recognition", 2015, table 1.)
std::vector<Variable> resnet50_variables();

/// What a recommender of the DLRM family trains densely: the kernels and biases of its bottom
/// (13-512-256-64-16) and top (367-512-256-1) perceptrons, and those of its 26 embedding tables
/// for the Criteo Kaggle data that have fewer than 100,000 rows (width 16); the larger ones are
/// tables of rows. (Naumov et al., "Deep Learning Recommendation Model for Personalization and
/// Recommendation Systems", 2019; sizes as in its public Kaggle run.)
std::vector<Variable> recommender_variables();

/// "resnet50" or "recommender"; throws invalid_argument for another name.
std::vector<Variable> model_variables(std::string_view name);

}  // namespace dtrain::inline v0::bench
