#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ps/table.h"

namespace dtrain::inline v0::ps {

/// Keys as a transfer takes them, and where they stand in the caller's order.
struct RowIndex {
  std::vector<std::uint64_t> keys;  ///< Ascending, each once.
  /// Places in the caller's order: those of keys[i] are positions[starts[i]] to
  /// positions[starts[i + 1] - 1], ascending. Both are empty where the caller's order is keys.
  std::vector<std::size_t> positions;
  std::vector<std::size_t> starts;  ///< keys.size() + 1 of them.

  bool as_given() const { return starts.empty(); }
};

RowIndex index_rows(std::span<const std::uint64_t> keys);

/// One gradient of `width` elements for each key of the index: those of its places in the caller's
/// order, added in that order.
std::vector<float> sum_duplicates(const RowIndex& index, std::span<const float> gradients,
                                  std::size_t width);

/// Row gradients of one table on their way to the servers.
class RowBatch {
 public:
  /// Owns its memory. Keys ascend, each once; gradients are keys.size() rows.
  RowBatch(std::uint32_t table_index, std::vector<std::uint64_t> own_keys,
           std::vector<float> own_gradients)
      : table(table_index),
        own_keys_(std::move(own_keys)),
        own_gradients_(std::move(own_gradients)),
        keys(own_keys_),
        gradients(own_gradients_) {}
  /// Borrows it until the push is done.
  RowBatch(std::uint32_t table_index, std::span<const std::uint64_t> lent_keys,
           std::span<const float> lent_gradients)
      : table(table_index), keys(lent_keys), gradients(lent_gradients) {}
  RowBatch(const RowBatch&) = delete;
  RowBatch& operator=(const RowBatch&) = delete;

  const std::uint32_t table;

 private:
  const std::vector<std::uint64_t> own_keys_;
  const std::vector<float> own_gradients_;

 public:
  const std::span<const std::uint64_t> keys;
  const std::span<const float> gradients;
};

/// Where pulled rows of one table go: row i of the caller's order to values + i * width.
struct RowTarget {
  std::uint32_t table = 0;
  std::shared_ptr<const RowIndex> index;
  float* values = nullptr;
};

/// Rows of one table in a transfer to or from one server.
struct RowPart {
  std::uint32_t table = 0;
  std::size_t count = 0;

  bool operator==(const RowPart&) const = default;
};

/// How the rows of a transfer are cut into chunks: each part in runs of as many rows as fit with
/// their keys, in order. Client and server derive the same, so that a chunk's number says what it
/// is. Takes no memory that grows with the rows.
class RowChunks {
 public:
  struct Chunk {
    std::size_t part = 0;  ///< Index into parts().
    std::uint32_t table = 0;
    std::size_t first = 0;  ///< Of the part's rows.
    std::size_t count = 0;
    std::size_t width = 0;

    std::size_t elements() const { return count * width; }
    /// Of a push's chunk: keys and gradients.
    std::size_t push_bytes() const {
      return count * sizeof(std::uint64_t) + elements() * sizeof(float);
    }
  };

  RowChunks() = default;
  /// The parts' tables must be tables of `table`.
  RowChunks(std::vector<RowPart> parts, const Table& table);

  const std::vector<RowPart>& parts() const { return parts_; }
  std::uint64_t count() const { return ends_.empty() ? 0 : ends_.back(); }
  /// Of all rows.
  std::size_t elements() const;
  Chunk at(std::uint64_t index) const;

 private:
  struct Cut {
    std::size_t width = 0;
    std::size_t rows = 0;  ///< Of a whole chunk.
  };

  std::vector<RowPart> parts_;
  std::vector<Cut> cuts_;            ///< One per part.
  std::vector<std::uint64_t> ends_;  ///< Chunks of all parts up to and with each.
};

/// How many of the first chunks of a push fit into `bytes` together, rows behind ranges: those that
/// may be sent unasked.
std::uint32_t count_eager(const std::vector<Range>& chunks, const RowChunks& rows,
                          std::size_t bytes);

/// How many rows of this width travel in one chunk, at least 1.
std::size_t rows_per_chunk(std::size_t width, std::size_t chunk_elements);

/// Most chunks of one transfer; a number that does not fit a message's index is refused.
constexpr std::uint64_t kChunksMax = std::uint64_t{1} << 31;

/// A pull asks one server for at most so many bytes of values (or one row) and of keys at a time:
/// the server gathers them into memory of their own.
constexpr std::size_t kRowPullBytesMax = std::size_t{16} << 20;
/// Each part is a payload frame of the request.
constexpr std::size_t kRowPullPartsMax = 8;

/// Parts of a request to the server with the index `server`: tables exist and ascend, and no part
/// has more rows than the server.
base::Result<std::vector<RowPart>> parse_row_parts(
    const google::protobuf::RepeatedPtrField<pb::RowPart>& message, const Table& table, int server);

void add_row_parts(const RowChunks& rows, google::protobuf::RepeatedPtrField<pb::RowPart>& message);

/// Throws not_found that lists the tables there are.
std::uint32_t row_table_index(const Table& table, std::string_view name);
/// Throws invalid_argument that names the first key that the table does not have.
void check_keys(const RowTable& table, std::span<const std::uint64_t> keys);

}  // namespace dtrain::inline v0::ps
