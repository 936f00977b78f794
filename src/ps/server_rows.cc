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

/// Keys that a frame begins with, from `first` on. A copy: a sender on this host could change its
/// own, and frames need not start on a key's boundary.
std::span<const std::uint64_t> copy_keys(const transport::Frame& frame, std::size_t count,
                                         std::vector<std::uint64_t>& keys, std::size_t first = 0) {
  const auto bytes = frame.bytes.subspan(first * sizeof(std::uint64_t));
  keys.resize(count);
  std::memcpy(keys.data(), bytes.data(), count * sizeof(std::uint64_t));
  return keys;
}

base::Status check_keys(std::span<const std::uint64_t> keys, const RowShard& shard) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!shard.holds(keys[i])) {
      return protocol_error(base::str_cat("key ", keys[i], " of \"", shard.table().name,
                                          "\" is none of the server's rows"));
    }
    if (i > 0 && keys[i] <= keys[i - 1]) {
      return protocol_error(base::str_cat("key ", keys[i], " of \"", shard.table().name,
                                          "\" comes behind key ", keys[i - 1]));
    }
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

base::Status Server::check_row_chunk(const Session& session, const transport::Frame& frame) {
  const RowChunks::Chunk chunk = session.rows.at(session.received - session.chunks.size());
  if (frame.bytes.size() != chunk.push_bytes()) {
    return protocol_error(base::str_cat("chunk ", session.received, " of ", chunk.count,
                                        " rows has ", frame.bytes.size(), " bytes instead of ",
                                        chunk.push_bytes()));
  }
  return check_keys(copy_keys(frame, chunk.count, row_keys_), row_shards_[chunk.table]);
}

void Server::sum_row_chunk(const Session& session, const transport::Frame& frame, float weight) {
  const RowChunks::Chunk chunk = session.rows.at(session.applied - session.chunks.size());
  const auto* gradients =
      reinterpret_cast<const float*>(frame.bytes.data() + chunk.count * sizeof(std::uint64_t));
  // A sender on this host could have changed them since they were checked.
  const auto keys = copy_keys(frame, chunk.count, row_keys_);
  if (check_keys(keys, row_shards_[chunk.table])) return;
  row_shards_[chunk.table].accumulate(keys, {gradients, chunk.elements()}, weight);
}

void Server::assign_row_chunk(const Session& session, const transport::Frame& frame) {
  const RowChunks::Chunk chunk = session.rows.at(session.applied - session.chunks.size());
  RowShard& shard = row_shards_[chunk.table];
  const auto* values =
      reinterpret_cast<const float*>(frame.bytes.data() + chunk.count * sizeof(std::uint64_t));
  const auto keys = copy_keys(frame, chunk.count, row_keys_);
  if (check_keys(keys, shard)) return;  // see sum_row_chunk
  for (std::size_t i = 0; i < chunk.count; ++i) {
    const std::span row(values + i * chunk.width, chunk.width);
    if (session.slot == 0) {
      shard.write({keys[i], 1}, row);
    } else {
      shard.write_slot(session.slot - 1, {keys[i], 1}, row);
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
                                   Session::ParkedPull& parked) {
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
    const auto keys = copy_keys(payload[i], part.count, row_keys_);
    if (base::Status status = check_keys(keys, shard)) return status;
  }
  parked.rows = RowChunks(std::move(parts.value()), *table_);
  parked.keys = std::move(payload);
  return {};
}

void Server::serve_rows(Session& session, const Session::ParkedPull& pull) {
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
  // All chunks are of one version: nothing is applied before the last one is gathered. Each sets
  // out at once, so that the worker puts it in its place while the next one is gathered.
  const auto gathered = staging_.take(pull.rows.elements() * sizeof(float));
  std::span<float> rest = gathered->span();
  for (std::uint64_t i = 0; i < pull.rows.count(); ++i) {
    const RowChunks::Chunk chunk = pull.rows.at(i);
    const auto out = rest.first(chunk.elements());
    rest = rest.subspan(out.size());
    if (i < first) continue;
    gather_rows(pull, chunk, out);
    values.set_index(static_cast<std::uint32_t>(i));
    send(session.link, reply, {{std::as_bytes(out), gathered}});
  }
}

void Server::gather_rows(const Session::ParkedPull& pull, const RowChunks::Chunk& chunk,
                         std::span<float> out) {
  const RowShard& shard = row_shards_[chunk.table];
  const auto keys = copy_keys(pull.keys[chunk.part], chunk.count, row_keys_, chunk.first);
  if (check_keys(keys, shard)) {
    std::ranges::fill(out, 0.0F);  // they were right before: see sum_row_chunk
  } else if (pull.frozen > 1) {
    for (std::size_t i = 0; i < chunk.count; ++i) {
      shard.read_slot(static_cast<int>(pull.frozen) - 2, {keys[i], 1},
                      out.subspan(i * chunk.width, chunk.width));
    }
  } else {
    shard.gather(keys, out);
  }
}

}  // namespace dtrain::inline v0::ps
