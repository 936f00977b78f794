// What rows add to Server: their chunks in a push, their sums in a step, and pulls of them.
#include <algorithm>
#include <cstring>
#include <utility>

#include "base/strings.h"
#include "ps/protocol_error.h"
#include "ps/row_placement.h"
#include "ps/server.h"

namespace dtrain::inline v0::ps {
namespace {

/// Key `i` of a frame that begins with keys: frames need not start on a key's boundary.
std::uint64_t key_at(const transport::Frame& frame, std::size_t i) {
  std::uint64_t key = 0;
  std::memcpy(&key, frame.bytes.data() + i * sizeof(key), sizeof(key));
  return key;
}

base::Status check_keys(const transport::Frame& frame, std::size_t count, const RowShard& shard) {
  for (std::size_t i = 0; i < count; ++i) {
    if (shard.holds(key_at(frame, i))) continue;
    return protocol_error(base::str_cat("key ", key_at(frame, i), " of \"", shard.table().name,
                                        "\" is none of the server's rows"));
  }
  return {};
}

}  // namespace

void Server::make_row_shards(const Table& table) {
  row_shards_.reserve(table.row_tables.size());
  for (const RowTable& row_table : table.row_tables) {
    const RowPlacement placement(static_cast<std::uint64_t>(row_table.rows), table.servers);
    row_shards_.emplace_back(row_table, placement.slice(index_), table.optimizer,
                             table.rules.clipping);
  }
}

base::Status Server::check_same_rows(const pb::Begin& begin, int rank,
                                     const RowChunks& rows) const {
  if (begin.kind() != pb::Begin::PUSH) {
    if (rows.parts().empty() || begin.kind() == pb::Begin::ASSIGN) return {};
    return protocol_error("rows in an operation without values");
  }
  if (!table_->synchronous() || begin.weight() == 0) return {};
  for (const Session* other : by_rank_) {
    if (!other || !other->pushing() || other->weight == 0 || other->step != step_of(begin))
      continue;
    if (std::ranges::equal(rows.parts(), other->rows.parts(), {}, &RowPart::table,
                           &RowPart::table)) {
      continue;
    }
    return Error(ErrorCode::kInvalidArgument,
                 base::str_cat("worker rank ", rank,
                               " pushes rows of other tables in this step "
                               "than rank ",
                               other->rank),
                 "In synchronous mode all workers name the same tables in each step, with keys of "
                 "their own or none");
  }
  return {};
}

base::Status Server::check_row_chunk(const Session& session, const transport::Frame& frame) const {
  const RowChunks::Chunk chunk = session.rows.at(session.received - session.chunks.size());
  if (frame.bytes.size() != chunk.push_bytes()) {
    return protocol_error(base::str_cat("chunk ", session.received, " of ", chunk.count,
                                        " rows has ", frame.bytes.size(), " bytes instead of ",
                                        chunk.push_bytes()));
  }
  return check_keys(frame, chunk.count, row_shards_[chunk.table]);
}

void Server::sum_row_chunk(const Session& session, const transport::Frame& frame, float weight) {
  const RowChunks::Chunk chunk = session.rows.at(session.applied - session.chunks.size());
  const auto* gradients =
      reinterpret_cast<const float*>(frame.bytes.data() + chunk.count * sizeof(std::uint64_t));
  for (std::size_t i = 0; i < chunk.count; ++i) {
    const std::uint64_t key = key_at(frame, i);
    // A sender on this host could have changed it since it was checked.
    if (!row_shards_[chunk.table].holds(key)) continue;
    row_shards_[chunk.table].accumulate(key, {gradients + i * chunk.width, chunk.width}, weight);
  }
}

void Server::assign_row_chunk(const Session& session, const transport::Frame& frame) {
  const RowChunks::Chunk chunk = session.rows.at(session.applied - session.chunks.size());
  RowShard& shard = row_shards_[chunk.table];
  const auto* values =
      reinterpret_cast<const float*>(frame.bytes.data() + chunk.count * sizeof(std::uint64_t));
  for (std::size_t i = 0; i < chunk.count; ++i) {
    const std::uint64_t key = key_at(frame, i);
    if (!shard.holds(key)) continue;  // see sum_row_chunk
    const std::span row(values + i * chunk.width, chunk.width);
    if (session.slot == 0) {
      shard.write({key, 1}, row);
    } else {
      shard.write_slot(session.slot - 1, {key, 1}, row);
    }
  }
}

void Server::apply_row_sums(const std::vector<RowPart>& parts, double weight_total) {
  for (const RowPart& part : parts) {
    row_shards_[part.table].apply_sum(static_cast<std::int64_t>(shard_->step() + 1),
                                      static_cast<float>(1.0 / weight_total));
  }
}

base::Status Server::open_row_pull(const pb::Pull& pull, std::vector<transport::Frame> payload,
                                   Session::ParkedPull& parked) const {
  if (pull.rows().empty()) return {};
  auto parts = parse_row_parts(pull.rows(), *table_, index_);
  if (!parts.ok()) return parts.error();
  if (!parked.chunks.empty() || payload.size() != parts.value().size()) {
    return protocol_error("a pull of rows and ranges, or without a frame of keys for each table");
  }
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    const RowPart part = parts.value()[i];
    const RowShard& shard = row_shards_[part.table];
    if (payload[i].bytes.size() != part.count * sizeof(std::uint64_t)) {
      return protocol_error(base::str_cat("a pull of ", part.count, " rows has ",
                                          payload[i].bytes.size(), " bytes of keys"));
    }
    const bool single_row = payload.size() == 1 && part.count == 1;  // may be larger
    if (!single_row) bytes += part.count * shard.width() * sizeof(float);
    if (bytes > kRowPullBytesMax) return protocol_error("a pull of more rows than one may have");
    if (base::Status status = check_keys(payload[i], part.count, shard)) return status;
  }
  parked.rows = RowChunks(std::move(parts.value()), *table_);
  parked.keys = std::move(payload);
  return {};
}

void Server::serve_rows(Session& session, const Session::ParkedPull& pull) {
  // Gathered as a whole, so that all chunks are of one version whatever is pushed meanwhile.
  std::size_t elements = 0;
  for (const RowPart& part : pull.rows.parts()) {
    elements += part.count * row_shards_[part.table].width();
  }
  auto gathered = std::make_shared<std::vector<float>>(elements);
  std::span<float> rest(*gathered);
  for (std::size_t p = 0; p < pull.keys.size(); ++p) {
    const RowPart part = pull.rows.parts()[p];
    const RowShard& shard = row_shards_[part.table];
    for (std::size_t i = 0; i < part.count; ++i) {
      const std::uint64_t key = key_at(pull.keys[p], i);  // checked, but see sum_row_chunk
      const auto out = rest.first(shard.width());
      if (shard.holds(key) && pull.frozen > 1) {
        shard.read_slot(static_cast<int>(pull.frozen) - 2, {key, 1}, out);
      } else if (shard.holds(key)) {
        shard.read({key, 1}, out);
      }
      rest = rest.subspan(shard.width());
    }
  }
  pb::Reply reply;
  pb::Values& values = *reply.mutable_values();
  values.set_id(pull.id);
  values.set_version(shard_->version());
  values.set_step(steps_);
  if (pull.rows.count() == 0) {
    send(session.link, reply);
    return;
  }
  const bool resumes = pull.version == shard_->version() && pull.next_chunk < pull.rows.count();
  const std::uint32_t first = resumes ? pull.next_chunk : 0;
  auto bytes = std::as_bytes(std::span(std::as_const(*gathered)));
  for (std::uint64_t i = 0; i < pull.rows.count(); ++i) {
    const std::size_t chunk_bytes = pull.rows.at(i).elements() * sizeof(float);
    values.set_index(static_cast<std::uint32_t>(i));
    if (i >= first) send(session.link, reply, {{bytes.first(chunk_bytes), gathered}});
    bytes = bytes.subspan(chunk_bytes);
  }
}

}  // namespace dtrain::inline v0::ps
