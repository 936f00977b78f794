#include "model/row_lookup.h"

#include <array>
#include <cmath>
#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::model {
namespace {

// From here on a float may stand for more than one integer.
constexpr float kExactEnd = 16777216.0F;

}  // namespace

RowLookup::RowLookup(std::string where, std::int64_t rows, std::size_t width, bool elsewhere)
    : where_(std::move(where)), row_count_(rows), width_(width), elsewhere_(elsewhere) {}

void RowLookup::refuse(std::size_t at, std::size_t per_example,
                       std::span<const std::uint64_t> indices, const std::string& value,
                       const std::string& advice) const {
  const std::size_t row = at / per_example;
  throw Error(ErrorCode::kInvalidArgument,
              base::str_cat(where_, "id ", at % per_example, " of example ",
                            indices.empty() ? row : indices[row], " is ", value),
              advice);
}

void RowLookup::add(const tensor::View& ids, std::size_t examples,
                    std::span<const std::uint64_t> indices) {
  const std::size_t per_example = ids.count / examples;
  const std::size_t first = ids_.size();
  ids_.resize(first + ids.count);
  const std::span<std::int64_t> added = std::span(ids_).subspan(first);
  if (ids.dtype == DType::kInt64) {
    std::ranges::copy(ids.as<std::int64_t>(), added.begin());
  } else {
    const auto floats = ids.as<float>();
    for (std::size_t i = 0; i < added.size(); ++i) {
      const float value = floats[i];
      // Written so that NaN is refused.
      if (!(std::abs(value) < kExactEnd)) {
        refuse(i, per_example, indices,
               base::str_cat(value, ", but floats tell ids apart below 16777216 only"),
               "Give integer features for larger ids");
      }
      if (std::trunc(value) != value) {
        refuse(i, per_example, indices, base::str_cat(value), "Ids are integers from 0");
      }
      added[i] = static_cast<std::int64_t>(value);
    }
  }
  for (std::size_t i = 0; i < added.size(); ++i) {
    if (added[i] >= 0 && added[i] < row_count_) continue;
    refuse(i, per_example, indices,
           base::str_cat(added[i], ", but the embedding has ", row_count_, " rows"),
           base::str_cat("Give ids from 0 to ", row_count_ - 1, ", or raise input_dim"));
  }
}

void RowLookup::finish(compute::Device& device) {
  if (elsewhere_) number_rows();
  device_ids_ = ids_;
  if (device.is_host_memory()) return;
  const auto copy = ids_on_device_.reserve(device, ids_.size());
  device.upload(copy.data(), ids_.data(), copy.size_bytes());
  device_ids_ = copy;
}

/// ids_ become places in keys_, which holds each id of the batch once. Ids are sorted digit by
/// digit: they are many, and have few digits.
void RowLookup::number_rows() {
  constexpr int kDigitBits = 11;
  constexpr std::uint64_t kDigits = std::uint64_t{1} << kDigitBits;
  sorted_ids_.resize(ids_.size());
  spare_ids_.resize(ids_.size());
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    sorted_ids_[i] = {static_cast<std::uint64_t>(ids_[i]), i};
  }
  const auto ids_end = static_cast<std::uint64_t>(row_count_);
  for (int shift = 0; shift < 64 && (ids_end - 1) >> shift != 0; shift += kDigitBits) {
    const auto digit_of = [shift](const IdPlace& id) { return id.id >> shift & (kDigits - 1); };
    std::array<std::size_t, kDigits + 1> starts{};
    for (const IdPlace& id : sorted_ids_) ++starts[digit_of(id) + 1];
    for (std::size_t digit = 0; digit < kDigits; ++digit) starts[digit + 1] += starts[digit];
    for (const IdPlace& id : sorted_ids_) spare_ids_[starts[digit_of(id)]++] = id;
    std::swap(sorted_ids_, spare_ids_);
  }
  keys_.clear();
  keys_.reserve(ids_.size());
  for (const IdPlace& id : sorted_ids_) {
    if (keys_.empty() || keys_.back() != id.id) keys_.push_back(id.id);
    ids_[id.place] = static_cast<std::int64_t>(keys_.size() - 1);
  }
}

std::span<float> RowLookup::fetched(compute::Device& device) {
  const auto rows = rows_.reserve(device, count());
  if (device.is_host_memory()) return rows;
  host_rows_.resize(count());
  return host_rows_;
}

void RowLookup::upload(compute::Device& device) {
  if (!device.is_host_memory()) {
    device.upload(rows_.data(), host_rows_.data(), count() * sizeof(float));
  }
}

std::span<float> RowLookup::gradient_memory(compute::Device& device) {
  return gradients_.reserve(device, count());
}

std::span<const float> RowLookup::gradients(compute::Device& device) {
  if (device.is_host_memory()) return {gradients_.data(), count()};
  host_rows_.resize(count());
  device.download(host_rows_.data(), gradients_.data(), count() * sizeof(float));
  return host_rows_;
}

}  // namespace dtrain::inline v0::model
