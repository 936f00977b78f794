#include "bench/limits_rows.h"

#include <cstring>

#include "base/strings.h"
#include "bench/statistics.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::bench {
namespace {

// How many rows ahead memory is asked for: enough to cover its latency, tried from 4 to 64.
constexpr std::size_t kAhead = 16;
constexpr std::size_t kLineFloats = 64 / sizeof(float);

void ask_for(const float* row, std::size_t width) {
  for (std::size_t at = 0; at < width; at += kLineFloats) __builtin_prefetch(row + at);
}

}  // namespace

RowsLimit::RowsLimit(std::size_t rows, std::size_t width)
    : rows_(rows), width_(width), table_(rows * width) {
  const std::span<float> values = table_.span();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 1021);
}

void RowsLimit::check(std::span<const std::uint64_t> keys, std::size_t count) const {
  if (count == keys.size() * width_ && (keys.empty() || keys.back() < rows_)) return;
  throw Error(ErrorCode::kInvalidArgument,
              base::str_cat(keys.size(), " keys and ", count, " floats for a table of ", rows_,
                            " x ", width_),
              "Give ascending keys below the number of rows, and a row of floats for each");
}

double RowsLimit::gather(std::span<const std::uint64_t> keys, std::span<float> out) const {
  check(keys, out.size());
  const float* table = table_.span().data();
  const Stopwatch watch;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i + kAhead < keys.size()) ask_for(table + keys[i + kAhead] * width_, width_);
    std::memcpy(out.data() + i * width_, table + keys[i] * width_, width_ * sizeof(float));
  }
  return watch.seconds();
}

double RowsLimit::scatter_add(std::span<const std::uint64_t> keys, std::span<const float> in) {
  check(keys, in.size());
  float* table = table_.span().data();
  const std::size_t width = width_;
  const Stopwatch watch;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i + kAhead < keys.size()) ask_for(table + keys[i + kAhead] * width, width);
    float* __restrict row = table + keys[i] * width;
    const float* __restrict added = in.data() + i * width;
    for (std::size_t column = 0; column < width; ++column) row[column] += added[column];
  }
  return watch.seconds();
}

}  // namespace dtrain::inline v0::bench
