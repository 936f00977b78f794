#include "bench/exchange_memory.h"

#include <new>

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::bench {
namespace {

constexpr std::uint64_t kAlignment = 64 / sizeof(float);

std::uint64_t aligned(std::uint64_t count) {
  return (count + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

ExchangeMemory::ExchangeMemory(ParameterClient& client, std::span<const std::uint64_t> counts,
                               bool arena) {
  std::uint64_t total = 0;
  for (const std::uint64_t count : counts) total += aligned(count);
  try {
    if (arena) {
      arena_ = client.allocate(total);
      std::uint64_t offset = 0;
      for (const std::uint64_t count : counts) {
        parts_.push_back(arena_->span().subspan(offset, count));
        offset += aligned(count);
      }
      return;
    }
    for (const std::uint64_t count : counts) parts_.push_back(own_.emplace_back(count));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kResourceExhausted,
                base::str_cat("there is no memory for ", total, " floats"), "Give a smaller size");
  }
}

}  // namespace dtrain::inline v0::bench
