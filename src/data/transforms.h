#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "data/stream.h"

namespace dtrain::inline v0::data {

/// What Pipeline's functions of the same names do to the streams that `open` begins.
OpenStream shard(OpenStream open, std::uint64_t workers, std::uint64_t rank);
OpenStream map(OpenStream open, std::function<void(Examples&)> change);
OpenStream shuffle(OpenStream open, std::size_t buffer, std::uint64_t seed);
OpenStream batch(OpenStream open, std::size_t size, bool drop_remainder);
OpenStream repeat(OpenStream open, std::uint64_t times);
OpenStream cache(OpenStream open, std::uint64_t memory_bytes_max);
OpenStream prefetch(OpenStream open, std::size_t pieces);

}  // namespace dtrain::inline v0::data
