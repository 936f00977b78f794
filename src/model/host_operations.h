#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tensor/view.h"

namespace dtrain::inline v0::model {

/// Memory of a preprocessing operation's output; it only grows.
struct HostBuffer {
  std::vector<float> floats;
  std::vector<std::int64_t> integers;
};

/// One tensor of a batch, on its way into a preprocessing operation.
struct HostInput {
  const tensor::View& view;  ///< Its shape is not read.
  std::size_t examples = 0;
  /// The examples' numbers for messages, or empty.
  std::span<const std::uint64_t> indices;

  std::size_t per_example() const { return view.count / examples; }
  /// `element 2 of example 17`, for the element at `at`.
  std::string describe(std::size_t at) const;
};

/// Preprocessing by the CPU, in ordinary memory. No gradient.
class HostOperation {
 public:
  virtual ~HostOperation() = default;

  virtual DType output_dtype() const = 0;
  /// The result lies in `out`; the view has no shape. Allocates nothing once `out` is large enough.
  /// Throws invalid_argument that names the layer, the example and the value.
  virtual tensor::View run(const HostInput& in, HostBuffer& out) const = 0;
};

/// FarmHash's Fingerprint64, with which tf.strings.to_hash_bucket_fast hashes.
std::uint64_t fingerprint64(std::string_view text);

}  // namespace dtrain::inline v0::model
