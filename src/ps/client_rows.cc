// What rows add to Client: their chunks in a push, and pulls of them.
#include <algorithm>
#include <cstring>
#include <utility>

#include "ps/client.h"
#include "ps/operation.h"
#include "ps/row_placement.h"

namespace dtrain::inline v0::ps {
namespace {

/// The run of ascending `keys` whose rows a server holds.
Range run_of(std::span<const std::uint64_t> keys, const RowTable& table, int servers, int server) {
  const RowPlacement placement(static_cast<std::uint64_t>(table.rows), servers);
  const Range slice = placement.slice(server);
  const auto row_of = [&](std::uint64_t key) { return placement.row_of(key); };
  const auto begin = std::ranges::lower_bound(keys, slice.begin, {}, row_of);
  const auto end = std::ranges::lower_bound(keys, slice.end(), {}, row_of);
  return {static_cast<std::size_t>(begin - keys.begin()), static_cast<std::size_t>(end - begin)};
}

}  // namespace

void Client::add_rows(ServerLink::Push& push, const ServerLink& server) const {
  const auto index = static_cast<int>(&server - servers_.data());
  std::vector<RowPart> parts;
  for (std::size_t i = 0; i < push.operation->rows.size(); ++i) {
    const RowBatch& batch = *push.operation->rows[i];
    const Range run = run_of(batch.keys, table_.row_tables[batch.table], table_.servers, index);
    // Tables without a key here are named too: their update is one everywhere.
    parts.push_back({batch.table, run.count});
    push.row_runs.push_back({i, run.begin});
  }
  push.rows = RowChunks(std::move(parts), table_);
}

transport::Frame Client::row_frame(const ServerLink::Push& push, std::uint64_t index) {
  const RowChunks::Chunk chunk = push.rows.at(index);
  const RowRun run = push.row_runs[chunk.part];
  const RowBatch& batch = *push.operation->rows[run.batch];
  const auto staged = staging_.take(chunk.push_bytes());
  const auto bytes = std::as_writable_bytes(staged->span()).first(chunk.push_bytes());
  const std::size_t first = run.first + chunk.first;
  const std::size_t key_bytes = chunk.count * sizeof(std::uint64_t);
  std::memcpy(bytes.data(), batch.keys.data() + first, key_bytes);
  std::memcpy(bytes.data() + key_bytes, batch.gradients.data() + first * chunk.width,
              chunk.elements() * sizeof(float));
  return {bytes, staged};
}

std::deque<ServerLink::Pull> Client::plan_row_pulls(const std::shared_ptr<Operation>& operation,
                                                    const ServerLink& server) {
  const auto index = static_cast<int>(&server - servers_.data());
  std::deque<ServerLink::Pull> pulls;
  std::vector<RowPart> parts;
  std::vector<RowRun> runs;
  std::size_t bytes = 0;
  const auto finish = [&] {
    if (parts.empty()) return;
    pulls.push_back({.operation = operation, .id = ++last_pull_id_});
    pulls.back().rows = RowChunks(std::exchange(parts, {}), table_);
    pulls.back().row_runs = std::exchange(runs, {});
    bytes = 0;
  };
  for (std::size_t i = 0; i < operation->row_targets.size(); ++i) {
    const RowTarget& target = operation->row_targets[i];
    const RowTable& table = table_.row_tables[target.table];
    const Range run = run_of(target.index->keys, table, table_.servers, index);
    const std::size_t row_bytes =
        std::max(static_cast<std::size_t>(table.width) * sizeof(float), sizeof(std::uint64_t));
    for (std::size_t done = 0; done < run.count;) {
      const std::size_t room =
          bytes < kRowPullBytesMax ? (kRowPullBytesMax - bytes) / row_bytes : 0;
      const bool full = parts.size() == kRowPullPartsMax || (room == 0 && !parts.empty());
      if (full) {
        finish();
        continue;
      }
      const std::size_t count = std::min(std::max<std::size_t>(room, 1), run.count - done);
      parts.push_back({target.table, count});
      runs.push_back({i, run.begin + done});
      bytes += count * row_bytes;
      done += count;
    }
  }
  finish();
  return pulls;
}

VersionCompletion Client::pull_rows(std::vector<RowTarget> targets, VersionCompletion done) {
  return start_row_pull(std::move(targets), 0, std::move(done));
}

VersionCompletion Client::pull_frozen_rows(std::vector<RowTarget> targets, int part,
                                           VersionCompletion done) {
  return start_row_pull(std::move(targets), static_cast<std::uint32_t>(part) + 1, std::move(done));
}

VersionCompletion Client::start_row_pull(std::vector<RowTarget> targets, std::uint32_t frozen,
                                         VersionCompletion done) {
  auto operation = std::make_shared<Operation>();
  operation->done = std::move(done);
  if (const base::Status status = admit(*operation)) {
    operation->done.set(*status);
    return operation->done;
  }
  operation->row_targets = std::move(targets);
  std::vector<std::deque<ServerLink::Pull>> pulls;
  for (const ServerLink& server : servers_) {
    pulls.push_back(plan_row_pulls(operation, server));
    for (ServerLink::Pull& pull : pulls.back()) pull.frozen = frozen;
    operation->parts_left += static_cast<int>(pulls.back().size());
  }
  if (operation->parts_left == 0) {
    // No key is wanted: nothing has to be asked.
    operation->parts_left = 1;
    operation->part_done(std::ranges::min_element(servers_, {}, &ServerLink::version)->version);
    return operation->done;
  }
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (pulls[i].empty()) continue;
    std::ranges::move(pulls[i], std::back_inserter(servers_[i].pulls));
    work_added(servers_[i]);
    start(servers_[i]);
  }
  return operation->done;
}

void Client::add_keys(const ServerLink::Pull& pull, pb::Pull& message,
                      std::vector<transport::Frame>& payload) {
  add_row_parts(pull.rows, *message.mutable_rows());
  for (std::size_t i = 0; i < pull.row_runs.size(); ++i) {
    const RowRun run = pull.row_runs[i];
    const auto& index = pull.operation->row_targets[run.batch].index;
    const auto keys = std::span(index->keys).subspan(run.first, pull.rows.parts()[i].count);
    payload.push_back({std::as_bytes(keys), index});
  }
}

void Client::scatter_rows(const ServerLink::Pull& pull, const RowChunks::Chunk& chunk,
                          std::span<const std::byte> bytes) {
  const RowRun run = pull.row_runs[chunk.part];
  const RowTarget& target = pull.operation->row_targets[run.batch];
  const std::size_t row_bytes = chunk.width * sizeof(float);
  if (target.index->as_given()) {
    std::memcpy(target.values + (run.first + chunk.first) * chunk.width, bytes.data(),
                chunk.count * row_bytes);
    return;
  }
  for (std::size_t i = 0; i < chunk.count; ++i) {
    const std::size_t key = run.first + chunk.first + i;
    for (std::size_t at = target.index->starts[key]; at < target.index->starts[key + 1]; ++at) {
      std::memcpy(target.values + target.index->positions[at] * chunk.width,
                  bytes.data() + i * row_bytes, row_bytes);
    }
  }
}

}  // namespace dtrain::inline v0::ps
