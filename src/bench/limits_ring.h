#pragma once

#include <cstddef>
#include <vector>

#include "bench/child.h"
#include "bench/shared_pages.h"

namespace dtrain::inline v0::bench {

/// Bytes from one process's memory to another's through a ring of four chunks in shared memory:
/// copied in, copied out, both at once. Who waits spins for a moment, then sleeps. Confined to one
/// thread.
class RingLimit {
 public:
  RingLimit(std::size_t bytes_max, std::size_t chunk_max);

  /// Seconds until the other process has copied `bytes` out of the ring, written in pieces of
  /// `chunk`. Throws unavailable or deadline_exceeded when the child is gone.
  double sample(std::size_t bytes, std::size_t chunk);

 private:
  const std::size_t chunk_max_;
  std::vector<char> source_;
  SharedPages pages_;
  Child child_;
};

}  // namespace dtrain::inline v0::bench
