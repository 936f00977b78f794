// What workers ask for, and when they get it.
#include <algorithm>
#include <utility>

#include "ps/server.h"

namespace dtrain::inline v0::ps {

void Server::on_pull(Session& session, const pb::Pull& pull,
                     std::vector<transport::Frame> payload) {
  if (pull.id() < session.pull_seen) return;  // a late duplicate
  session.pull_seen = pull.id();
  auto ranges = parse_ranges(pull, shard_->slice());
  if (!ranges.ok()) {
    fail(session.link, ranges.error());
    return;
  }
  if (pull.frozen() > 0) {
    // Without a copy: a late duplicate of a pull that was answered before the copy went.
    if (session.rank != 0 || !frozen_) return;
    if (const base::Status status = check_frozen(pull.frozen())) {
      fail(session.link, *status);
      return;
    }
  }
  session.pull =
      Session::ParkedPull{.id = pull.id(),
                          .version_min = pull.version_min(),
                          .chunks = cut_into_chunks(ranges.value(), table_->chunk_elements),
                          .next_chunk = pull.next_chunk(),
                          .version = pull.version(),
                          .frozen = pull.frozen()};
  if (const base::Status status = open_row_pull(pull, std::move(payload), *session.pull)) {
    session.pull.reset();
    fail(session.link, *status);
    return;
  }
  if (pull_ready(session)) {
    serve_pull(session);
    return;
  }
  pb::Reply reply;
  pb::Values& values = *reply.mutable_values();
  values.set_id(pull.id());
  values.set_waiting(true);
  for (const int rank : ranks_missing(session)) {
    values.add_waiting_for(static_cast<std::uint32_t>(rank));
  }
  send(session.link, reply);
}

void Server::serve_pull(Session& session) {
  const Session::ParkedPull pull = *std::exchange(session.pull, std::nullopt);
  stats_.staleness_max = std::max(stats_.staleness_max, staleness_of(session));
  if (!pull.rows.parts().empty()) {
    serve_rows(session, pull);
    return;
  }
  const Snapshot snapshot = pull.frozen > 0
                                ? Snapshot{frozen_->parts[pull.frozen - 1], frozen_->version}
                                : shard_->snapshot();
  pb::Reply reply;
  pb::Values& values = *reply.mutable_values();
  values.set_id(pull.id);
  values.set_version(snapshot.version);
  values.set_step(steps_);
  if (pull.chunks.empty()) {
    send(session.link, reply);
    return;
  }
  // Asked again: what has arrived need not be sent again, if it is still the same version.
  const bool resumes = pull.version == snapshot.version && pull.next_chunk < pull.chunks.size();
  for (std::size_t i = resumes ? pull.next_chunk : 0; i < pull.chunks.size(); ++i) {
    values.set_index(static_cast<std::uint32_t>(i));
    send(session.link, reply, {values_frame(snapshot, pull.chunks[i])});
  }
}

transport::Frame Server::values_frame(const Snapshot& snapshot, Range chunk) const {
  return {std::as_bytes(
              snapshot.values->span().subspan(chunk.begin - shard_->slice().begin, chunk.count)),
          snapshot.values};
}

}  // namespace dtrain::inline v0::ps
