#include "bench/limits_memory.h"

#include <algorithm>
#include <cstring>

#include "base/strings.h"
#include "bench/statistics.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::bench {
namespace {

// Both buffers begin at a page: equal offsets in a page collide in the processor.
constexpr std::size_t kStagger = 528;

// A sample is at least this long, or the clock would be part of it.
constexpr std::size_t kSampleBytes = 256 << 10;

[[gnu::always_inline]] inline void add_loop(float* __restrict sum, const float* __restrict added,
                                            std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) sum[i] += added[i];
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void add_avx2(float* sum, const float* added, std::size_t count) {
  add_loop(sum, added, count);
}
#endif

// The compiler must not drop a repetition because nobody reads what it wrote.
void keep(const void* memory) { asm volatile("" : : "r"(memory) : "memory"); }

}  // namespace

void add_in_place(std::span<float> sum, std::span<const float> added) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return add_avx2(sum.data(), added.data(), sum.size());
#endif
  add_loop(sum.data(), added.data(), sum.size());
}

MemoryLimit::MemoryLimit(std::size_t bytes_max)
    : from_(bytes_max / sizeof(float)), to_(bytes_max / sizeof(float) + kStagger) {
  std::fill(from_.span().begin(), from_.span().end(), 1.0F);
  std::fill(to_.span().begin(), to_.span().end(), 0.0F);
}

void MemoryLimit::check(std::size_t bytes) const {
  if (bytes % sizeof(float) == 0 && bytes > 0 && bytes <= from_.count() * sizeof(float)) return;
  throw Error(
      ErrorCode::kInvalidArgument,
      base::str_cat("A limit for ", from_.count() * sizeof(float), " bytes was asked for ", bytes),
      "Ask for whole floats, no more than it was made for");
}

double MemoryLimit::copy(std::size_t bytes, std::size_t chunk) {
  check(bytes);
  if (chunk == 0) chunk = bytes;
  const auto* from = reinterpret_cast<const char*>(from_.span().data());
  auto* to = reinterpret_cast<char*>(to_.span().data() + kStagger);
  const std::size_t repeats = std::max<std::size_t>(kSampleBytes / bytes, 1);
  const Stopwatch watch;
  for (std::size_t repeat = 0; repeat < repeats; ++repeat) {
    for (std::size_t at = 0; at < bytes; at += chunk) {
      std::memcpy(to + at, from + at, std::min(chunk, bytes - at));
    }
    keep(to);
  }
  return watch.seconds() / static_cast<double>(repeats);
}

double MemoryLimit::add(std::size_t bytes) {
  check(bytes);
  const std::size_t count = bytes / sizeof(float);
  const std::size_t repeats = std::max<std::size_t>(kSampleBytes / bytes, 1);
  const Stopwatch watch;
  for (std::size_t repeat = 0; repeat < repeats; ++repeat) {
    add_in_place(to_.span().subspan(kStagger, count), from_.span().first(count));
    keep(to_.span().data());
  }
  return watch.seconds() / static_cast<double>(repeats);
}

}  // namespace dtrain::inline v0::bench
