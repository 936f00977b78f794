#include "strategy/sums_codec.h"

#include <bit>
#include <cstdint>

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::strategy {
namespace {

constexpr std::size_t kWordBytes = 8;
constexpr std::size_t kWordsMin = 3;  // metrics follow
// Of all workers together, as Cluster::all_gather() has it; a little is left for names and for
// where a training stands.
constexpr std::size_t kGatheredBytesMax = 960 * 1024;
constexpr std::size_t kOtherBytes = 256;

void put(std::string& bytes, std::uint64_t word) {
  for (std::size_t i = 0; i < kWordBytes; ++i) bytes += static_cast<char>(word >> (8 * i));
}

std::uint64_t get(std::string_view bytes, std::size_t index) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < kWordBytes; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[index * kWordBytes + i]);
    word |= std::uint64_t{byte} << (8 * i);
  }
  return word;
}

model::Sums decode(std::string_view bytes) {
  if (bytes.size() % kWordBytes != 0 || bytes.size() < kWordsMin * kWordBytes) {
    throw Error(ErrorCode::kProtocol,
                base::str_cat("a worker sent ", bytes.size(), " bytes as its sums"),
                "Run the same version of dtrain everywhere");
  }
  model::Sums sums;
  sums.loss = std::bit_cast<double>(get(bytes, 0));
  sums.examples = get(bytes, 1);
  sums.nonfinite = get(bytes, 2);
  for (std::size_t i = kWordsMin; i < bytes.size() / kWordBytes; ++i) {
    sums.metrics.push_back(std::bit_cast<double>(get(bytes, i)));
  }
  return sums;
}

}  // namespace

std::string encode(const model::Sums& sums) {
  std::string bytes;
  bytes.reserve((kWordsMin + sums.metrics.size()) * kWordBytes);
  put(bytes, std::bit_cast<std::uint64_t>(sums.loss));
  put(bytes, sums.examples);
  put(bytes, sums.nonfinite);
  for (const double metric : sums.metrics) put(bytes, std::bit_cast<std::uint64_t>(metric));
  return bytes;
}

model::Sums merge(const std::vector<std::string>& parts) {
  model::Sums total;
  for (const std::string& part : parts) {
    if (!part.empty()) total.merge(decode(part));
  }
  return total;
}

void check_fits(std::size_t metric_numbers, int workers) {
  const std::size_t bytes_max = kGatheredBytesMax / static_cast<std::size_t>(workers) - kOtherBytes;
  const std::size_t bytes = (kWordsMin + metric_numbers) * kWordBytes;
  if (bytes <= bytes_max) return;
  throw Error(ErrorCode::kInvalidArgument,
              base::str_cat("the metrics count in ", metric_numbers, " numbers, ", bytes,
                            " bytes, which each of ", workers, " workers sends after an epoch"),
              base::str_cat("Give fewer metrics or thresholds, for at most ", bytes_max, " bytes"));
}

}  // namespace dtrain::inline v0::strategy
