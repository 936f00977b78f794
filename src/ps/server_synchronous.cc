// Steps that all workers make together: their gradients are summed in the order of their ranks, and
// what the last of them brings is applied and sent back chunk by chunk.
#include <algorithm>
#include <utility>

#include "ps/server.h"

namespace dtrain::inline v0::ps {

void Server::advance_synchronous() {
  // `limit` is how far the contributor before has been summed: nobody may overtake it.
  Session* const last = last_contributor();
  bool first = true;
  bool whole = true;
  std::uint32_t limit = 0;
  for (Session* session : by_rank_) {
    if (!session || !session->pushing()) return;
    if (session->weight == 0) continue;
    const std::uint32_t bound = whole ? session->chunk_count() : limit;
    // Granted before the work on what has come: the next chunks travel meanwhile.
    grant(*session, bound);
    if (session == last) finish_summed_chunks(*last);
    while (session->applied < bound && !session->stash.empty()) {
      const bool finishes = session == last && session->applied < session->chunks.size();
      finishes ? finish_next_chunk(*session, first) : sum_next_chunk(*session, first);
    }
    whole = whole && session->applied == session->chunk_count();
    // Rows are each worker's own, so their order is that of whole workers.
    limit = std::min(session->applied, static_cast<std::uint32_t>(session->chunks.size()));
    first = false;
  }
  if (whole && norms_known()) finish_step();
}

Session* Server::last_contributor() {
  if (shard_->plan().clips_by_norm()) return nullptr;
  Session* last = nullptr;
  for (Session* session : by_rank_) {
    if (!session || !session->pushing()) return nullptr;
    if (session->weight > 0) last = session;
  }
  return last;
}

void Server::finish_next_chunk(Session& session, bool first) {
  if (first && session.applied == 0) {
    for (RowShard& rows : row_shards_) rows.drop_sum();
  }
  if (!shard_->updating()) shard_->begin_step(session.ranges, weigh_step().total);
  shard_->finish_range(session.chunks[session.applied], next_elements(session),
                       static_cast<float>(session.weight), first);
  session.stash.pop_front();
  finished_chunks_ = ++session.applied;
  send_final_values(session, finished_chunks_);
}

/// What was summed before it was known that nobody comes behind.
void Server::finish_summed_chunks(const Session& last) {
  const auto summed = std::min(last.applied, static_cast<std::uint32_t>(last.chunks.size()));
  if (finished_chunks_ >= summed) return;
  if (!shard_->updating()) shard_->begin_step(last.ranges, weigh_step().total);
  while (finished_chunks_ < summed) shard_->finish_range(last.chunks[finished_chunks_++]);
  send_final_values(last, finished_chunks_);
}

void Server::sum_next_chunk(Session& session, bool first) {
  const auto weight = static_cast<float>(session.weight);
  if (first && session.applied == 0) {
    for (RowShard& rows : row_shards_) rows.drop_sum();
  }
  if (session.applied < session.chunks.size()) {
    shard_->accumulate(session.chunks[session.applied], next_elements(session), weight, first);
  } else {
    sum_row_chunk(session, session.stash.front(), weight);
  }
  session.stash.pop_front();
  ++session.applied;
}

Server::StepWeight Server::weigh_step() const {
  StepWeight step;
  for (const Session* session : by_rank_) {
    step.total += static_cast<double>(session->weight);
    if (session->weight > 0) step.contributor = session;
  }
  return step;
}

void Server::finish_step() {
  const StepWeight step = weigh_step();
  if (step.contributor) {
    apply_row_sums(step.contributor->rows.parts(), step.total);
    if (shard_->updating()) {
      shard_->end_update();
    } else {
      shard_->apply_sum(step.contributor->ranges, step.total,
                        norms_ ? norms_->factors : std::vector<double>{});
    }
    norms_.reset();
    ++stats_.updates;
  }
  finished_chunks_ = 0;
  ++steps_;
  for (Session* session : by_rank_) {
    if (session->weight > 0) ++stats_.contributions;
    complete(*session);
  }
}

/// To those who wait for them in a fused push-pull. The last chunk is left: with it comes that the
/// step is over.
void Server::send_final_values(const Session& last, std::uint32_t chunks) {
  const Snapshot coming = shard_->coming();
  pb::Reply reply;
  pb::Values& values = *reply.mutable_values();
  values.set_version(coming.version);
  values.set_step(steps_ + 1);
  const auto early = static_cast<std::uint32_t>(last.chunks.size()) - 1;
  for (Session* session : by_rank_) {
    if (session->pull_id == 0 || session->weight == 0) continue;
    values.set_id(session->pull_id);
    for (; session->values_sent < std::min(chunks, early); ++session->values_sent) {
      values.set_index(session->values_sent);
      send(session->link, reply, {values_frame(coming, last.chunks[session->values_sent])});
    }
  }
}

}  // namespace dtrain::inline v0::ps
