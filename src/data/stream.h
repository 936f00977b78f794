#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "dtrain/examples.h"

namespace dtrain::inline v0::data {

/// Examples on their way, pulled piece by piece. Confined to one thread at a time.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Replaces what is in `out` by the next examples, at least one; false at the end, which leaves
  /// it undefined, and after which nobody asks again. Whatever is in there: its memory is used
  /// again if it has the same columns.
  virtual bool next(Examples& out) = 0;
};

/// Begins a pass.
using OpenStream = std::function<std::unique_ptr<Stream>(std::uint64_t pass)>;

/// A step of a pipeline. Immutable.
struct Stage {
  OpenStream open;
};

/// Examples in a piece, where nothing else says it: enough to make light of what each piece costs,
/// few enough to stay in the caches.
constexpr std::size_t kPieceExamples = 256;

/// Empties `out`, which then has the columns of `like`.
void prepare(Examples& out, const Examples& like);

}  // namespace dtrain::inline v0::data
