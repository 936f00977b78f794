#include "ps/staging.h"

#include <atomic>
#include <bit>

#include "ps/shared_arena.h"

namespace dtrain::inline v0::ps {
namespace {

constexpr std::size_t kElementsMin = 4096;

}  // namespace

std::shared_ptr<tensor::Arena> Staging::take(std::size_t bytes) {
  std::size_t kept_bytes = 0;
  for (const auto& arena : kept_) {
    kept_bytes += arena->count() * sizeof(float);
    if (arena.use_count() > 1 || arena->count() * sizeof(float) < bytes) continue;
    // What was read through the last copy, on whichever thread, was read before we write.
    std::atomic_thread_fence(std::memory_order_acquire);
    return arena;
  }
  // Sizes that repeat: those of the next messages differ a little.
  const std::size_t elements = (bytes + sizeof(float) - 1) / sizeof(float);
  auto arena = std::make_shared<tensor::Arena>(
      shared_arena(endpoint_, elements < kElementsMin ? kElementsMin : std::bit_ceil(elements)));
  const std::size_t size = arena->count() * sizeof(float);
  if (kept_bytes + size > bytes_max_) {
    std::erase_if(kept_, [](const auto& other) { return other.use_count() == 1; });
  } else {
    kept_.push_back(arena);
  }
  return arena;
}

}  // namespace dtrain::inline v0::ps
