#include "ps/server.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace dtrain::inline v0::ps {
namespace {

std::span<const float> as_floats(const transport::Frame& frame) {
  return {reinterpret_cast<const float*>(frame.bytes.data()), frame.bytes.size() / sizeof(float)};
}

}  // namespace

Server::Server(transport::Endpoint& endpoint, std::string name, observe::Logger logger,
               ServerOptions options)
    : endpoint_(endpoint), name_(std::move(name)), logger_(std::move(logger)), options_(options) {}

base::TimePoint Server::on_timer(base::TimePoint) { return base::kForever; }

Session* Server::session_of(std::uint64_t incarnation) {
  const auto found = sessions_.find(incarnation);
  return found == sessions_.end() ? nullptr : &found->second;
}

void Server::advance() {
  if (!table_) return;
  apply_assignments();
  if (table_->synchronous()) {
    advance_synchronous();
  } else {
    advance_asynchronous();
  }
  for (Session* session : by_rank_) {
    if (session && session->pull && pull_ready(*session->pull)) serve_pull(*session);
  }
}

void Server::apply_assignments() {
  for (Session* session : by_rank_) {
    if (!session || !session->active() || session->kind != pb::Begin::ASSIGN) continue;
    if (shard_->updating()) continue;  // its turn comes when the asynchronous push is whole
    while (!session->stash.empty()) {
      shard_->assign(session->chunks[session->applied], as_floats(session->stash.front()));
      session->stash.pop_front();
      ++session->applied;
    }
    if (session->applied == session->chunk_count()) {
      initialized_ = true;
      complete(*session);
    } else {
      grant(*session, session->chunk_count());
    }
  }
}

void Server::advance_synchronous() {
  // `limit` is how far the contributor before has been summed: nobody may overtake it.
  bool first = true;
  bool whole = true;
  std::uint32_t limit = 0;
  for (Session* session : by_rank_) {
    if (!session || !session->active() || session->kind != pb::Begin::PUSH) return;
    if (session->weight == 0) continue;
    const std::uint32_t bound = whole ? session->chunk_count() : limit;
    while (session->applied < bound && !session->stash.empty()) sum_next_chunk(*session, first);
    grant(*session, bound);
    whole = whole && session->applied == session->chunk_count();
    // Rows are each worker's own, so their order is that of whole workers.
    limit = std::min(session->applied, static_cast<std::uint32_t>(session->chunks.size()));
    first = false;
  }
  if (whole) finish_step();
}

void Server::sum_next_chunk(Session& session, bool first) {
  const auto weight = static_cast<float>(session.weight);
  if (first && session.applied == 0) {
    for (RowShard& rows : row_shards_) rows.drop_sum();
  }
  if (session.applied < session.chunks.size()) {
    shard_->accumulate(session.chunks[session.applied], as_floats(session.stash.front()), weight,
                       first);
  } else {
    sum_row_chunk(session, session.stash.front(), weight);
  }
  session.stash.pop_front();
  ++session.applied;
}

void Server::finish_step() {
  double weight_total = 0;
  const Session* contributor = nullptr;
  for (const Session* session : by_rank_) {
    weight_total += static_cast<double>(session->weight);
    if (session->weight > 0) contributor = session;
  }
  if (contributor) {
    apply_row_sums(*contributor, weight_total);
    shard_->apply_sum(contributor->ranges, weight_total);
    ++stats_.updates;
  }
  for (Session* session : by_rank_) {
    if (session->weight > 0) ++stats_.contributions;
    complete(*session);
  }
}

void Server::advance_asynchronous() {
  while (!turns_.empty()) {
    Session* session = session_of(turns_.front());
    if (!session || !session->active()) {
      turns_.pop_front();
      continue;
    }
    while (!session->stash.empty()) apply_next_chunk(*session);
    if (session->applied < session->chunk_count()) {
      grant(*session, session->chunk_count());
      return;
    }
    // An update of rows counts on servers that have none of them, too: a step is one everywhere.
    if (!session->rows.parts().empty() && !shard_->updating()) shard_->begin_update();
    if (shard_->updating()) {
      apply_row_sums(*session, 1.0);
      shard_->end_update();
      ++stats_.updates;
      ++stats_.contributions;
    }
    complete(*session);
    turns_.pop_front();
    apply_assignments();
  }
}

void Server::apply_next_chunk(Session& session) {
  if (!shard_->updating()) shard_->begin_update();
  if (session.applied < session.chunks.size()) {
    shard_->apply(session.chunks[session.applied], as_floats(session.stash.front()));
  } else {
    sum_row_chunk(session, session.stash.front(), 1.0F);
  }
  session.stash.pop_front();
  ++session.applied;
}

void Server::grant(Session& session, std::uint32_t chunks_max) {
  const std::uint32_t wanted = std::min(chunks_max, session.received + options_.window_chunks);
  if (wanted <= session.credit) return;
  // One message for several chunks, unless the worker has nothing left that it may send.
  const bool worth_it = wanted == session.chunk_count() || session.credit <= session.received ||
                        wanted - session.credit >= options_.window_chunks / 2;
  if (!worth_it) return;
  session.credit = wanted;
  send_position(session, false);
}

void Server::complete(Session& session) {
  session.complete = true;
  session.version = shard_->version();
  if (session.pull_id == 0) {
    send_position(session, false);
    return;
  }
  // Fused push-pull: the values are the acknowledgement.
  session.pull =
      Session::ParkedPull{.id = session.pull_id,
                          .version_min = session.version,
                          .chunks = cut_into_chunks(session.ranges, table_->chunk_elements)};
  serve_pull(session);
}

bool Server::pull_ready(const Session::ParkedPull& pull) const {
  return initialized_ && !shard_->updating() && shard_->version() >= pull.version_min;
}

std::vector<int> Server::ranks_missing() const {
  std::vector<int> missing;
  if (!table_) return missing;
  if (!initialized_) {
    missing.push_back(0);
    return missing;
  }
  if (!table_->synchronous()) {
    // Only the push whose turn it is can hold others up.
    const auto found = turns_.empty() ? sessions_.end() : sessions_.find(turns_.front());
    if (found != sessions_.end()) missing.push_back(found->second.rank);
    return missing;
  }
  for (std::size_t rank = 0; rank < by_rank_.size(); ++rank) {
    const Session* session = by_rank_[rank];
    const bool contributes = session && session->active();
    if (!contributes || session->received < session->chunk_count()) {
      missing.push_back(static_cast<int>(rank));
    }
  }
  return missing;
}

void Server::worker_left(std::uint64_t incarnation) {
  if (Session* session = session_of(incarnation)) session->left = true;
  fail_steps_of_the_left();
}

void Server::fail_steps_of_the_left() {
  if (!table_ || !table_->synchronous()) return;
  const auto gone = std::ranges::find_if(by_rank_, [](const Session* session) {
    return session && session->left && !session->active();
  });
  if (gone == by_rank_.end()) return;
  for (const Session* waiting : by_rank_) {
    if (!waiting || !waiting->active() || waiting->kind != pb::Begin::PUSH) continue;
    fail(waiting->link,
         Error(ErrorCode::kAborted,
               base::str_cat("worker rank ", (*gone)->rank, " has ended, and push #",
                             waiting->sequence, " of rank ", waiting->rank, " waits for it"),
               "All workers must make the same number of steps"));
  }
}

void Server::worker_lost(std::uint64_t incarnation) {
  Session* session = session_of(incarnation);
  if (!session) return;
  const bool in_turn = !turns_.empty() && turns_.front() == incarnation;
  if (table_ && !table_->synchronous() && in_turn && shard_->updating()) {
    shard_->end_update();
    for (RowShard& rows : row_shards_) rows.drop_sum();  // its rows are not applied
    ++stats_.updates;
    ++stats_.partial_pushes;
    logger_.warning(name_, ": worker rank ", session->rank, " was lost in the middle of push #",
                    session->sequence, ": ", session->applied, " of ", session->chunk_count(),
                    " chunks of it are applied and stay");
  }
  by_rank_[static_cast<std::size_t>(session->rank)] = nullptr;
  sessions_.erase(incarnation);
  std::erase(turns_, incarnation);
  advance();
}

}  // namespace dtrain::inline v0::ps
