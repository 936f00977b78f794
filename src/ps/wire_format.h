#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dtrain/variable.h"
#include "ps/partition.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::ps {

/// How gradients stand in messages: the elements of a range one after the other, each run of
/// equally typed variables as fp32, fp16 or bf16, filled up with zeros to a multiple of 4 bytes.
/// Immutable.
class WireFormat {
 public:
  /// All fp32.
  WireFormat() = default;
  /// One type per variable of the layout; padding is of the variable before it.
  WireFormat(const tensor::Layout& layout, std::span<const GradientType> types);

  /// Everything is fp32: what is sent is the memory itself.
  bool plain() const { return runs_.empty(); }

  /// What `range` takes in a message.
  std::size_t bytes(Range range) const;
  /// `from`: the range's elements; `to`: bytes(range) bytes, at a multiple of 4.
  void encode(Range range, const float* from, std::byte* to) const;
  /// The other way round.
  void decode(Range range, const std::byte* from, float* to) const;

 private:
  struct Run {
    std::size_t end = 0;  ///< In elements of the arena; it begins where the one before ends.
    GradientType type = GradientType::kFloat32;
  };
  /// Calls `visit(type, count)` for each run of `range`, in order.
  template <typename Visit>
  void for_each_run(Range range, const Visit& visit) const;

  std::vector<Run> runs_;  ///< Empty when everything is fp32.
};

}  // namespace dtrain::inline v0::ps
