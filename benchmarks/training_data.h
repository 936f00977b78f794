#pragma once

#include <dtrain/dtrain.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// What training_task trains on and begins with. comparison/peers/workloads.py draws the same
// numbers for the peers: number i of a stream is a hash of both, in any language.

/// Each class is a random image, and each example one of those with noise.
dtrain::Dataset make_images(std::size_t examples, const dtrain::Shape& shape);

/// `ids` uniform ids below `rows` an example, as hashed features are at worst. The first decides
/// the target.
dtrain::Dataset make_clicks(std::size_t examples, std::size_t ids, std::int64_t rows);

/// A column of ids.
struct IdColumn {
  std::string name;
  std::int64_t ids = 0;  ///< How many there are.
};

/// The columns of words of the census data in examples/data, each with one id for unknown words.
const std::vector<IdColumn>& census_columns();

constexpr std::int64_t kCensusNumbers = 5;

/// Examples in the shape of those data when words are ids and numbers are normalised: a feature for
/// each column, and "numbers".
dtrain::Dataset make_census(std::size_t examples);

/// Gives a model that has not been compiled the first values that the peers' models have: Glorot's
/// uniform ones, zeros for biases, Keras's for embeddings.
void set_first_values(dtrain::Model& model);
