#include "bench/exchange_data.h"

#include <algorithm>
#include <bit>

#include "base/philox.h"

namespace dtrain::inline v0::bench {
namespace {

constexpr std::uint64_t kKeySeed = 5;

std::uint32_t scatter(std::uint64_t i) { return static_cast<std::uint32_t>(i) * 2654435761U; }

// Knuth's selection sampling, The Art of Computer Programming, 3.4.2, algorithm S.
std::vector<std::uint64_t> select(std::uint64_t rows, std::uint64_t count,
                                  base::PhiloxStream& random) {
  std::vector<std::uint64_t> keys;
  keys.reserve(count);
  for (std::uint64_t row = 0; keys.size() < count; ++row) {
    if (random.below(rows - row) < count - keys.size()) keys.push_back(row);
  }
  return keys;
}

}  // namespace

float initial_value(std::uint64_t i) { return static_cast<float>(scatter(i) >> 8 & 0xFF); }

float gradient_value(std::uint64_t i) { return static_cast<float>((scatter(i) >> 30) + 1); }

float rank_factor(int rank) { return static_cast<float>(rank % 3 + 1); }

std::uint64_t example_weight(int rank, int workers) {
  const auto count = static_cast<std::uint64_t>(workers);
  return rank + 1 < workers ? 1 : std::bit_ceil(count) - (count - 1);
}

double step_share(int rank, int workers, bool asynchronous) {
  if (asynchronous) return rank_factor(rank);
  const auto total = static_cast<double>(std::bit_ceil(static_cast<std::uint64_t>(workers)));
  return rank_factor(rank) * static_cast<double>(example_weight(rank, workers)) / total;
}

std::uint64_t exact_steps_max(int workers, bool asynchronous) {
  double share = 0;
  for (int rank = 0; rank < workers; ++rank) share += step_share(rank, workers, asynchronous);
  const double parts =
      asynchronous ? 1 : static_cast<double>(std::bit_ceil(static_cast<std::uint64_t>(workers)));
  constexpr double kExact = 1 << 24;
  return static_cast<std::uint64_t>((kExact / parts - 256) / (4 * share));
}

std::vector<std::uint64_t> draw_keys(std::uint64_t rows, std::uint64_t count, int rank) {
  base::PhiloxStream random(kKeySeed, static_cast<std::uint64_t>(rank));
  if (count > rows / 4) return select(rows, count, random);
  std::vector<std::uint64_t> keys;
  while (keys.size() < count) {
    while (keys.size() < count) keys.push_back(random.below(rows));
    std::ranges::sort(keys);
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  }
  return keys;
}

std::vector<float> row_shares(std::span<const std::uint64_t> keys, std::uint64_t rows, int workers,
                              bool asynchronous) {
  std::vector<float> shares(keys.size());
  for (int rank = 0; rank < workers; ++rank) {
    const auto share = static_cast<float>(step_share(rank, workers, asynchronous));
    const std::vector<std::uint64_t> others = draw_keys(rows, keys.size(), rank);
    auto other = others.begin();
    for (std::size_t i = 0; i < keys.size(); ++i) {
      while (other != others.end() && *other < keys[i]) ++other;
      if (other != others.end() && *other == keys[i]) shares[i] += share;
    }
  }
  return shares;
}

std::uint64_t row_element(std::uint64_t key, std::uint64_t column) { return key * 31 + column; }

}  // namespace dtrain::inline v0::bench
