#include "ps/rows.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "base/strings.h"
#include "compute/optimizer.h"
#include "ps/row_placement.h"

namespace dtrain::inline v0::ps {

RowIndex index_rows(std::span<const std::uint64_t> keys) {
  RowIndex index;
  const bool as_given =
      std::ranges::adjacent_find(keys, std::ranges::greater_equal()) == keys.end();
  if (as_given) {
    index.keys.assign(keys.begin(), keys.end());
    return index;
  }
  index.positions.resize(keys.size());
  std::iota(index.positions.begin(), index.positions.end(), std::size_t{0});
  // Equal keys keep their order: it is the order in which their gradients are added.
  if (!std::ranges::is_sorted(keys)) {
    std::ranges::stable_sort(index.positions, {}, [&](std::size_t at) { return keys[at]; });
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::uint64_t key = keys[index.positions[i]];
    if (!index.keys.empty() && index.keys.back() == key) continue;
    index.keys.push_back(key);
    index.starts.push_back(i);
  }
  index.starts.push_back(keys.size());
  return index;
}

std::vector<float> sum_duplicates(const RowIndex& index, std::span<const float> gradients,
                                  std::size_t width) {
  if (index.as_given()) return {gradients.begin(), gradients.end()};
  std::vector<float> sums(index.keys.size() * width);
  for (std::size_t i = 0; i < index.keys.size(); ++i) {
    const auto sum = std::span(sums).subspan(i * width, width);
    const std::size_t first = index.positions[index.starts[i]];
    std::ranges::copy(gradients.subspan(first * width, width), sum.begin());
    for (std::size_t at = index.starts[i] + 1; at < index.starts[i + 1]; ++at) {
      compute::accumulate(sum, gradients.subspan(index.positions[at] * width, width), 1.0F);
    }
  }
  return sums;
}

std::size_t rows_per_chunk(std::size_t width, std::size_t chunk_elements) {
  const std::size_t row_bytes = sizeof(std::uint64_t) + width * sizeof(float);
  return std::max<std::size_t>(chunk_elements * sizeof(float) / row_bytes, 1);
}

RowChunks::RowChunks(std::vector<RowPart> parts, const Table& table) : parts_(std::move(parts)) {
  std::uint64_t end = 0;
  for (const RowPart& part : parts_) {
    const auto width = static_cast<std::size_t>(table.row_tables[part.table].width);
    const std::size_t rows = rows_per_chunk(width, table.chunk_elements);
    cuts_.push_back({width, rows});
    end += part.count / rows + (part.count % rows == 0 ? 0 : 1);
    ends_.push_back(end);
  }
}

std::size_t RowChunks::elements() const {
  std::size_t elements = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) elements += parts_[i].count * cuts_[i].width;
  return elements;
}

RowChunks::Chunk RowChunks::at(std::uint64_t index) const {
  const auto end = std::ranges::upper_bound(ends_, index);
  const auto part = static_cast<std::size_t>(end - ends_.begin());
  const std::uint64_t begin = part == 0 ? 0 : ends_[part - 1];
  const std::size_t first = (index - begin) * cuts_[part].rows;
  return {.part = part,
          .table = parts_[part].table,
          .first = first,
          .count = std::min(cuts_[part].rows, parts_[part].count - first),
          .width = cuts_[part].width};
}

std::uint32_t count_eager(const std::vector<Range>& chunks, const RowChunks& rows,
                          std::size_t bytes) {
  std::uint32_t count = count_eager(chunks, bytes);
  if (count < chunks.size()) return count;
  for (const Range& chunk : chunks) bytes -= chunk.count * sizeof(float);
  for (std::uint64_t i = 0; i < rows.count(); ++i, ++count) {
    const std::size_t chunk_bytes = rows.at(i).push_bytes();
    if (chunk_bytes > bytes) break;
    bytes -= chunk_bytes;
  }
  return count;
}

base::Result<std::vector<RowPart>> parse_row_parts(
    const google::protobuf::RepeatedPtrField<pb::RowPart>& message, const Table& table,
    int server) {
  std::vector<RowPart> parts;
  for (const pb::RowPart& part : message) {
    const bool known = part.table() < table.row_tables.size();
    if (!known || (!parts.empty() && part.table() <= parts.back().table)) {
      return Error(ErrorCode::kProtocol, "rows of a table that was not declared, or out of order");
    }
    const RowTable& of = table.row_tables[part.table()];
    const Range slice =
        RowPlacement(static_cast<std::uint64_t>(of.rows), table.servers).slice(server);
    if (part.count() > slice.count) {
      return Error(ErrorCode::kProtocol,
                   base::str_cat(part.count(), " rows of \"", of.name,
                                 "\", of which the server has ", slice.count));
    }
    parts.push_back({part.table(), part.count()});
  }
  if (RowChunks(parts, table).count() >= kChunksMax) {
    return Error(ErrorCode::kInvalidArgument, "one push names more rows than it may",
                 "Push fewer rows at a time, or use larger chunks");
  }
  return parts;
}

void add_row_parts(const RowChunks& rows,
                   google::protobuf::RepeatedPtrField<pb::RowPart>& message) {
  for (const RowPart& part : rows.parts()) {
    pb::RowPart& added = *message.Add();
    added.set_table(part.table);
    added.set_count(part.count);
  }
}

std::uint32_t row_table_index(const Table& table, std::string_view name) {
  const auto found = std::ranges::find(table.row_tables, name, &RowTable::name);
  if (found != table.row_tables.end()) {
    return static_cast<std::uint32_t>(found - table.row_tables.begin());
  }
  std::vector<std::string> names;
  for (const RowTable& row_table : table.row_tables) names.push_back(row_table.name);
  throw Error(ErrorCode::kNotFound, base::str_cat("there is no row table \"", name, "\""),
              names.empty() ? "No row tables are declared"
                            : base::str_cat("Declared are: ", base::join(names)));
}

void check_keys(const RowTable& table, std::span<const std::uint64_t> keys) {
  const RowPlacement placement(static_cast<std::uint64_t>(table.rows), 1);
  const auto wrong =
      std::ranges::find_if_not(keys, [&](std::uint64_t key) { return placement.has(key); });
  if (wrong == keys.end()) return;
  throw Error(ErrorCode::kInvalidArgument,
              base::str_cat("key ", wrong - keys.begin(), " is ", *wrong, ", but \"", table.name,
                            "\" has ", table.rows, " rows"),
              base::str_cat("Give keys from 0 to ", table.rows - 1));
}

}  // namespace dtrain::inline v0::ps
