#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dtrain/dataset.h"
#include "dtrain/export.h"
#include "dtrain/preprocessing_layers.h"

namespace dtrain::inline v0 {

// What preprocessing layers learn from data before a model is built (Keras's adapt()). Every worker
// that builds the model needs the same numbers: adapt to data that all of them have, or to a file
// that one of them wrote.

/// A Normalization with the mean and variance (of the population) of each element of the last
/// dimension, over all examples and other dimensions of a float feature. Throws as
/// Dataset::feature(), and invalid_argument for what is not finite.
DTRAIN_EXPORT Normalization adapt_normalization(const Dataset& data, std::string_view feature);

/// The words of a string feature, the most frequent first; equally frequent ones in falling
/// alphabetical order, as Keras has them. `max_words`: at most so many; 0: all. A word that is to
/// be StringLookup::mask_token has to be taken out of it.
DTRAIN_EXPORT std::vector<std::string> adapt_vocabulary(const Dataset& data,
                                                        std::string_view feature,
                                                        std::size_t max_words = 0);

/// The same of an integer feature.
DTRAIN_EXPORT std::vector<std::int64_t> adapt_integer_vocabulary(const Dataset& data,
                                                                 std::string_view feature,
                                                                 std::size_t max_words = 0);

}  // namespace dtrain::inline v0
