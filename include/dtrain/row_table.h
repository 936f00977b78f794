#pragma once

#include <cstdint>
#include <string>

#include "dtrain/initializers.h"

namespace dtrain::inline v0 {

/// Which rows of a table an update changes.
enum class RowUpdates {
  /// Those that the step's gradients name. The others stay as they are, their momentum and other
  /// slots included: cheap, whatever the size of the table.
  kLazy,
  /// All of them: a row without a gradient has the gradient 0, which momentum and Adam's averages
  /// do not ignore. Keras's numbers, at the cost of a pass over the whole table in each step.
  kDense,
};

/// An fp32 table of which a step needs few rows, such as an embedding: declared to parameter
/// servers, which cut its rows into ranges. No worker holds it.
struct RowTable {
  std::string name;        ///< Unique among tables and variables, e.g. "embedding/embeddings".
  std::int64_t rows = 0;   ///< At least 1; keys are 0 to rows - 1.
  std::int64_t width = 0;  ///< Elements of a row, at least 1; a row fits into a chunk.
  /// First values, drawn on the servers. An element's value depends on the seed, the table's name
  /// and its place only, so that any number of servers has the same.
  Initializer initializer = RandomUniform{};
  RowUpdates updates = RowUpdates::kLazy;
  std::uint64_t seed = 0;  ///< For initializers without a seed of their own.
};

}  // namespace dtrain::inline v0
