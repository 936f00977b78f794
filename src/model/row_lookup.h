#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "compute/device.h"
#include "dtrain/row_table.h"
#include "tensor/view.h"

namespace dtrain::inline v0::model {

/// Rows of a table that is elsewhere: `values` is to be filled with those that `keys` (ascending,
/// each once) name.
struct RowRequest {
  std::size_t table = 0;  ///< In Network::row_tables().
  std::span<const std::uint64_t> keys;
  std::span<float> values;
};

/// Called during a step, by whoever runs it; returns when all are filled.
using FetchRows = std::function<void(std::span<const RowRequest> requests)>;

/// One table's ids in a batch, and, where the table is elsewhere, the rows that they name and the
/// gradients of those. An embedding that is called several times has one for all calls. Allocates
/// nothing unless a batch has more ids than all before. Confined to one thread.
class RowLookup {
 public:
  /// `where` begins messages. The table has `rows` rows, and is the network's own or elsewhere.
  RowLookup(std::string where, std::int64_t rows, std::size_t width, bool elsewhere);

  /// Forgets the last batch.
  void clear() { ids_.clear(); }
  /// Adds one call's ids, integers or floats that stand for some; they are the next ids().
  /// `indices`: the examples' numbers for messages, or empty. Throws invalid_argument for what is
  /// no id of the table.
  void add(const tensor::View& ids, std::size_t examples, std::span<const std::uint64_t> indices);
  /// All ids are there: finds out which rows they name, where the table is elsewhere.
  void finish(compute::Device& device);

  /// In the device's memory, in the order added: rows of the table, or of rows().
  std::span<const std::int64_t> ids() const { return device_ids_; }

  // Where the table is elsewhere, after finish():
  /// Each once, ascending.
  std::span<const std::uint64_t> keys() const { return keys_; }
  /// Host memory that a fetch fills before upload() makes rows() of it.
  std::span<float> fetched(compute::Device& device);
  void upload(compute::Device& device);
  std::span<const float> rows() const { return {rows_.data(), count()}; }
  /// The device's memory of the rows' gradients, for backward to write.
  std::span<float> gradient_memory(compute::Device& device);
  /// The gradients in host memory.
  std::span<const float> gradients(compute::Device& device);

 private:
  struct IdPlace {
    std::uint64_t id = 0;
    std::size_t place = 0;  ///< In ids_.
  };

  std::size_t count() const { return keys_.size() * width_; }
  [[noreturn]] void refuse(std::size_t at, std::size_t per_example,
                           std::span<const std::uint64_t> indices, const std::string& value,
                           const std::string& advice) const;
  void number_rows();

  const std::string where_;
  const std::int64_t row_count_;
  const std::size_t width_;
  const bool elsewhere_;
  std::vector<std::int64_t> ids_;  ///< Numbers in keys_ where the table is elsewhere.
  std::span<const std::int64_t> device_ids_;
  compute::Buffer<std::int64_t> ids_on_device_;
  std::vector<IdPlace> sorted_ids_;
  std::vector<IdPlace> spare_ids_;
  std::vector<std::uint64_t> keys_;
  std::vector<float> host_rows_;  ///< Values and gradients on their way to or from a device.
  compute::Buffer<float> rows_;
  compute::Buffer<float> gradients_;
};

}  // namespace dtrain::inline v0::model
