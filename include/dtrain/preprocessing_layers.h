#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dtrain::inline v0 {

// Preprocessing inside the model (keras.layers): what these layers do to the data while training is
// done by an exported model too. They take the model's inputs, or what other layers of this kind
// give, and are computed by the CPU; no gradient flows through them.

/// `(x - mean) / max(sqrt(variance), 1e-7)` with numbers that come from the data: see adapt().
struct Normalization {
  std::vector<float> mean;      ///< One per element of the last dimension, or one for all.
  std::vector<float> variance;  ///< As many.
  bool invert = false;          ///< The other way round: `mean + x * sqrt(variance)`.
  std::string name = {};        ///< Empty: "normalization", ...

  bool operator==(const Normalization&) const = default;
};

/// Strings become their place in the vocabulary, as int64: what is not in it becomes one of
/// `num_oov_indices` numbers before it (by the string's hash), and so the first word has the number
/// num_oov_indices (one more with a mask token, which has the number 0).
struct StringLookup {
  std::vector<std::string> vocabulary;  ///< Each once, without the mask token.
  std::int64_t num_oov_indices = 1;     ///< 0: what is not in the vocabulary is an error.
  std::optional<std::string> mask_token = {};
  std::string name = {};  ///< Empty: "string_lookup", ...

  bool operator==(const StringLookup&) const = default;
};

/// The same for integers.
struct IntegerLookup {
  std::vector<std::int64_t> vocabulary;  ///< Each once, without the mask token.
  std::int64_t num_oov_indices = 1;
  std::optional<std::int64_t> mask_token = {};
  std::string name = {};  ///< Empty: "integer_lookup", ...

  bool operator==(const IntegerLookup&) const = default;
};

/// Strings or integers become numbers below num_bins: FarmHash's Fingerprint64 (of an integer's
/// decimal digits) modulo num_bins, as tf.strings.to_hash_bucket_fast.
struct Hashing {
  std::int64_t num_bins = 0;  ///< At least 1.
  /// What becomes 0; everything else is spread over 1 to num_bins - 1.
  std::optional<std::string> mask_value = {};
  std::string name = {};  ///< Empty: "hashing", ...

  bool operator==(const Hashing&) const = default;
};

/// Numbers become the index of their bin as int64: how many boundaries are not above them.
struct Discretization {
  std::vector<float> bin_boundaries;  ///< Rising.
  std::string name = {};              ///< Empty: "discretization", ...

  bool operator==(const Discretization&) const = default;
};

/// How CategoryEncoding writes integers.
enum class CategoryOutput {
  kOneHot,    ///< (...) or (..., 1) becomes (..., num_tokens).
  kMultiHot,  ///< (k) becomes (num_tokens): 1 where an integer occurs.
  kCount,     ///< (k) becomes (num_tokens): how often it occurs.
};

/// Integers below num_tokens become float32 vectors.
struct CategoryEncoding {
  std::int64_t num_tokens = 0;  ///< At least 1.
  CategoryOutput output_mode = CategoryOutput::kMultiHot;
  std::string name = {};  ///< Empty: "category_encoding", ...

  bool operator==(const CategoryEncoding&) const = default;
};

}  // namespace dtrain::inline v0
