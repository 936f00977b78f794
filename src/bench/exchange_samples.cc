#include "bench/exchange_samples.h"

#include <algorithm>
#include <cstring>

#include "dtrain/error.h"

namespace dtrain::inline v0::bench {
namespace {

// What stands in front of the samples that encode() makes.
struct Totals {
  std::uint64_t count = 0;
  double total_us = 0;
  double min_us = 0;
  double max_us = 0;
};

}  // namespace

void Samples::add(std::span<const float> us) {
  for (const float one : us) {
    min_us_ = count_ == 0 ? one : std::min<double>(min_us_, one);
    max_us_ = std::max<double>(max_us_, one);
    total_us_ += one;
    ++count_;
    samples_.push_back({one, 1});
  }
}

void Samples::add(const Samples& other) {
  if (other.empty()) return;
  min_us_ = empty() ? other.min_us_ : std::min(min_us_, other.min_us_);
  max_us_ = std::max(max_us_, other.max_us_);
  total_us_ += other.total_us_;
  count_ += other.count_;
  samples_.insert(samples_.end(), other.samples_.begin(), other.samples_.end());
}

std::vector<Samples::Sample> Samples::sorted() const {
  std::vector<Sample> sorted = samples_;
  std::ranges::sort(sorted, {}, &Sample::us);
  return sorted;
}

double Samples::quantile_us(double q) const {
  if (empty()) return 0;
  const double wanted = q * static_cast<double>(count_);
  double seen = 0;
  for (const Sample& sample : sorted()) {
    seen += sample.weight;
    if (seen >= wanted) return sample.us;
  }
  return max_us_;
}

std::string Samples::encode(std::size_t bytes_max) const {
  const std::size_t room = (bytes_max - std::min(bytes_max, sizeof(Totals))) / sizeof(Sample);
  std::vector<Sample> kept = sorted();
  if (kept.size() > room && room > 0) {
    const std::vector<Sample> all = std::move(kept);
    kept.clear();
    for (std::size_t i = 0; i < room; ++i) {
      const std::size_t begin = all.size() * i / room;
      const std::size_t end = all.size() * (i + 1) / room;
      Sample sample = {all[(begin + end) / 2].us, 0};
      for (std::size_t j = begin; j < end; ++j) sample.weight += all[j].weight;
      kept.push_back(sample);
    }
  }
  const Totals totals = {count_, total_us_, min_us_, max_us_};
  std::string bytes(sizeof(totals) + kept.size() * sizeof(Sample), '\0');
  std::memcpy(bytes.data(), &totals, sizeof(totals));
  if (!kept.empty()) {
    std::memcpy(bytes.data() + sizeof(totals), kept.data(), kept.size() * sizeof(Sample));
  }
  return bytes;
}

Samples Samples::decode(std::string_view bytes) {
  Totals totals;
  if (bytes.size() < sizeof(totals) || (bytes.size() - sizeof(totals)) % sizeof(Sample) != 0) {
    throw Error(ErrorCode::kProtocol, "a worker's times have a length that none has",
                "Run the same version of dtrain everywhere");
  }
  std::memcpy(&totals, bytes.data(), sizeof(totals));
  Samples samples;
  samples.count_ = totals.count;
  samples.total_us_ = totals.total_us;
  samples.min_us_ = totals.min_us;
  samples.max_us_ = totals.max_us;
  samples.samples_.resize((bytes.size() - sizeof(totals)) / sizeof(Sample));
  if (!samples.samples_.empty()) {
    std::memcpy(samples.samples_.data(), bytes.data() + sizeof(totals),
                bytes.size() - sizeof(totals));
  }
  return samples;
}

}  // namespace dtrain::inline v0::bench
