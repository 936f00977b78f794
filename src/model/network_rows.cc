// The ids that an embedding takes, and the rows that they name where its table is elsewhere.
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"
#include "model/network.h"

namespace dtrain::inline v0::model {
namespace {

// From here on a float may stand for more than one integer.
constexpr float kExactEnd = 16777216.0F;

/// Says what is wrong with element `at` of a batch's inputs.
[[noreturn]] void refuse_id(const tensor::Batch& batch, std::size_t at, const std::string& value,
                            const std::string& advice) {
  const std::size_t per_example = batch.inputs[0].count / batch.size;
  const std::size_t row = at / per_example;
  const bool has_index = batch.example_indices.size() == batch.size;
  throw Error(ErrorCode::kInvalidArgument,
              base::str_cat("id ", at % per_example, " of example ",
                            has_index ? batch.example_indices[row] : row, " is ", value),
              advice);
}

/// The integer that a float stands for.
std::int64_t id_of(const tensor::Batch& batch, std::size_t at, float value) {
  // Written so that NaN is refused.
  if (!(std::abs(value) < kExactEnd)) {
    refuse_id(batch, at, base::str_cat(value, ", but floats tell ids apart below 16777216 only"),
              "Give integer features for larger ids");
  }
  if (std::trunc(value) != value) {
    refuse_id(batch, at, base::str_cat(value), "Ids are integers from 0");
  }
  return static_cast<std::int64_t>(value);
}

}  // namespace

void Network::read_ids(const tensor::Batch& batch) {
  ids_.resize(batch.inputs[0].count);
  if (batch.inputs[0].dtype == tensor::DType::kInt64) {
    std::ranges::copy(batch.inputs[0].as<std::int64_t>(), ids_.begin());
  } else {
    const auto inputs = batch.inputs[0].as<float>();
    for (std::size_t i = 0; i < ids_.size(); ++i) ids_[i] = id_of(batch, i, inputs[i]);
  }
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    if (ids_[i] >= 0 && ids_[i] < id_count_) continue;
    refuse_id(batch, i, base::str_cat(ids_[i], ", but the embedding has ", id_count_, " rows"),
              base::str_cat("Give ids from 0 to ", id_count_ - 1, ", or raise input_dim"));
  }
}

/// ids_ become places in row_keys_, which holds each id of the batch once. Ids are sorted digit by
/// digit: they are many, and have few digits.
void Network::number_rows() {
  constexpr int kDigitBits = 11;
  constexpr std::uint64_t kDigits = std::uint64_t{1} << kDigitBits;
  sorted_ids_.resize(ids_.size());
  spare_ids_.resize(ids_.size());
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    sorted_ids_[i] = {static_cast<std::uint64_t>(ids_[i]), i};
  }
  const auto ids_end = static_cast<std::uint64_t>(id_count_);
  for (int shift = 0; shift < 64 && (ids_end - 1) >> shift != 0; shift += kDigitBits) {
    const auto digit_of = [shift](const IdPlace& id) { return id.id >> shift & (kDigits - 1); };
    std::array<std::size_t, kDigits + 1> starts{};
    for (const IdPlace& id : sorted_ids_) ++starts[digit_of(id) + 1];
    for (std::size_t digit = 0; digit < kDigits; ++digit) starts[digit + 1] += starts[digit];
    for (const IdPlace& id : sorted_ids_) spare_ids_[starts[digit_of(id)]++] = id;
    std::swap(sorted_ids_, spare_ids_);
  }
  row_keys_.clear();
  for (const IdPlace& id : sorted_ids_) {
    if (row_keys_.empty() || row_keys_.back() != id.id) row_keys_.push_back(id.id);
    ids_[id.place] = static_cast<std::int64_t>(row_keys_.size() - 1);
  }
}

void Network::add_ids(const tensor::Batch& batch, Pass& pass) {
  read_ids(batch);
  if (row_table_) {
    row_keys_.reserve(ids_.size());
    number_rows();
  }
  pass.ids = ids_;
  if (!device_.is_host_memory()) {
    const auto copy = ids_on_device_.reserve(device_, ids_.size());
    device_.upload(copy.data(), ids_.data(), copy.size_bytes());
    pass.ids = copy;
  }
  if (!row_table_) return;
  const std::size_t count = row_keys_.size() * static_cast<std::size_t>(row_table_->width);
  const auto rows = rows_.reserve(device_, count);
  if (device_.is_host_memory()) {
    fetch_rows(row_keys_, rows);
  } else {
    host_rows_.resize(count);
    fetch_rows(row_keys_, host_rows_);
    device_.upload(rows.data(), host_rows_.data(), rows.size_bytes());
  }
  pass.rows = rows;
  if (pass.training) pass.row_gradients = row_gradients_.reserve(device_, count);
}

void Network::fetch_rows(std::span<const std::uint64_t> keys, std::span<float> values) const {
  if (!fetch_rows_) {
    throw Error(ErrorCode::kFailedPrecondition,
                base::str_cat("the rows of \"", row_table_->name, "\" are not on servers yet"),
                "Call compile() first");
  }
  fetch_rows_(keys, values);
}

std::span<const float> Network::row_gradients() {
  if (!row_table_) return {};
  const std::size_t count = row_keys_.size() * static_cast<std::size_t>(row_table_->width);
  if (device_.is_host_memory()) return {row_gradients_.data(), count};
  host_rows_.resize(count);
  device_.download(host_rows_.data(), row_gradients_.data(), count * sizeof(float));
  return host_rows_;
}

}  // namespace dtrain::inline v0::model
