#include "ps/server.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/strings.h"

namespace dtrain::inline v0::ps {
Server::Server(transport::Endpoint& endpoint, std::string name, observe::Logger logger,
               ServerOptions options)
    : endpoint_(endpoint),
      name_(std::move(name)),
      logger_(std::move(logger)),
      options_(options),
      staging_(endpoint) {}

Session* Server::session_of(std::uint64_t incarnation) {
  const auto found = sessions_.find(incarnation);
  return found == sessions_.end() ? nullptr : &found->second;
}

void Server::advance() {
  if (!table_) return;
  apply_assignments();
  if (!initialized_) return;
  if (table_->backup_workers() > 0) {
    advance_with_backup();
  } else if (table_->synchronous()) {
    advance_synchronous();
  } else {
    advance_asynchronous();
  }
  for (Session* session : by_rank_) {
    if (session && session->pull && pull_ready(*session)) serve_pull(*session);
  }
}

void Server::apply_assignments() {
  for (Session* session : by_rank_) {
    if (!session || !session->active() || session->kind == pb::Begin::PUSH) continue;
    if (shard_->updating()) continue;  // its turn comes when the asynchronous push is whole
    if (session->kind == pb::Begin::ASSIGN) {
      apply_assignment(*session);
      continue;
    }
    apply_freeze(*session);
  }
}

void Server::apply_assignment(Session& session) {
  while (!session.stash.empty()) {
    if (session.applied < session.chunks.size()) {
      shard_->assign(session.chunks[session.applied], next_elements(session), session.slot);
    } else {
      assign_row_chunk(session, session.stash.front());
    }
    session.stash.pop_front();
    ++session.applied;
  }
  if (session.applied < session.chunk_count()) {
    grant(session, session.chunk_count());
    return;
  }
  initialized_ = true;
  if (session.restored_step) shard_->restore_step(*session.restored_step);
  if (session.learning_rate) {
    shard_->set_learning_rate(*session.learning_rate);
    for (RowShard& rows : row_shards_) rows.set_learning_rate(*session.learning_rate);
  }
  complete(session);
}

void Server::advance_asynchronous() {
  while (!turns_.empty() && !held()) {
    Session* session = session_of(turns_.front());
    if (!session || !session->active()) {
      turns_.pop_front();
      continue;
    }
    grant(*session, session->chunk_count());
    while (!session->stash.empty()) apply_next_chunk(*session);
    if (session->applied < session->chunk_count()) return;
    // An update counts on servers that have nothing of it, too: a step is one everywhere.
    if (session->weight > 0 && !shard_->updating()) shard_->begin_update(session->ranges);
    if (shard_->updating()) {
      apply_row_sums(session->rows.parts(), 1.0);
      shard_->end_update();
      ++stats_.updates;
      ++stats_.contributions;
    }
    complete(*session);
    turns_.pop_front();
    apply_assignments();
  }
}

std::size_t Server::chunk_bytes(const Session& session, Range chunk) const {
  const bool as_they_are = session.kind == pb::Begin::ASSIGN;
  return as_they_are ? chunk.count * sizeof(float) : wire_format_.bytes(chunk);
}

std::span<const float> Server::next_elements(const Session& session) {
  const std::span<const std::byte> bytes = session.stash.front().bytes;
  if (session.kind == pb::Begin::PUSH && !wire_format_.plain()) {
    const Range chunk = session.chunks[session.applied];
    decoded_.resize(std::max(decoded_.size(), chunk.count));
    wire_format_.decode(chunk, bytes.data(), decoded_.data());
    return std::span(std::as_const(decoded_)).first(chunk.count);
  }
  return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
}

void Server::apply_next_chunk(Session& session) {
  if (!shard_->updating()) shard_->begin_update(session.ranges);
  if (session.applied < session.chunks.size()) {
    shard_->apply(session.chunks[session.applied], next_elements(session));
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
  if (session.kind == pb::Begin::PUSH) {
    ++session.pushes;
    find_slowest();
  }
  if (session.pull_id == 0) {
    send_position(session, false);
    return;
  }
  // A pull from before the push, which the update kept waiting.
  if (session.pull && session.pull->id != session.pull_id && pull_ready(session)) {
    serve_pull(session);
  }
  // Fused push-pull: the values are the acknowledgement.
  session.pull =
      Session::ParkedPull{.id = session.pull_id,
                          .version_min = session.version,
                          .chunks = cut_into_chunks(session.ranges, table_->chunk_elements),
                          .next_chunk = session.values_sent,
                          .version = session.version};
  if (pull_ready(session)) serve_pull(session);
}

bool Server::pull_ready(const Session& session) const {
  if (session.pull->frozen > 0) return true;
  return initialized_ && !shard_->updating() && shard_->version() >= session.pull->version_min &&
         staleness_of(session) <= table_->staleness_max();
}

std::uint64_t Server::staleness_of(const Session& session) const {
  return session.pushes - std::min(session.pushes, slowest_pushes_);
}

void Server::find_slowest() {
  slowest_pushes_ = std::numeric_limits<std::uint64_t>::max();
  for (std::size_t rank = 0; rank < by_rank_.size(); ++rank) {
    if (gone_ranks_.contains(static_cast<int>(rank))) continue;
    slowest_pushes_ = std::min(slowest_pushes_, by_rank_[rank] ? by_rank_[rank]->pushes : 0);
  }
}

std::vector<int> Server::ranks_missing(const Session& waiting) const {
  std::vector<int> missing;
  if (!table_) return missing;
  if (!initialized_) {
    missing.push_back(0);
    return missing;
  }
  if (held()) return {0};  // it reads a checkpoint
  if (staleness_of(waiting) > table_->staleness_max()) {
    for (std::size_t rank = 0; rank < by_rank_.size(); ++rank) {
      const std::uint64_t pushes = by_rank_[rank] ? by_rank_[rank]->pushes : 0;
      const bool slow = pushes + table_->staleness_max() < waiting.pushes;
      if (slow && !gone_ranks_.contains(static_cast<int>(rank))) {
        missing.push_back(static_cast<int>(rank));
      }
    }
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
    if (gone_ranks_.contains(static_cast<int>(rank))) continue;
    if (!contributes || !session->whole()) {
      missing.push_back(static_cast<int>(rank));
    }
  }
  if (missing.empty() && norms_) missing.push_back(0);  // it adds up the norms
  return missing;
}

void Server::worker_left(std::uint64_t incarnation, int rank) {
  if (Session* session = session_of(incarnation)) session->left = true;
  if (rank == 0) frozen_.reset();
  gone_ranks_.insert(rank);
  find_slowest();
  advance();
  fail_steps_of_the_left();
}

void Server::fail_steps_of_the_left() {
  if (!table_ || !table_->synchronous() || table_->backup_workers() > 0) return;
  const auto gone = std::ranges::find_if(by_rank_, [](const Session* session) {
    return session && session->left && !session->active();
  });
  if (gone == by_rank_.end()) return;
  for (const Session* waiting : by_rank_) {
    if (!waiting || !waiting->pushing()) continue;
    fail(waiting->link,
         Error(ErrorCode::kAborted,
               base::str_cat("worker rank ", (*gone)->rank, " has ended, and push #",
                             waiting->sequence, " of rank ", waiting->rank, " waits for it"),
               "All workers must make the same number of steps"));
  }
}

void Server::worker_lost(std::uint64_t incarnation, int rank) {
  gone_ranks_.insert(rank);
  find_slowest();
  Session* session = session_of(incarnation);
  if (!session) {
    advance();
    return;
  }
  const bool in_turn = !turns_.empty() && turns_.front() == incarnation;
  if (table_ && !table_->synchronous() && in_turn && shard_->updating()) {
    for (std::size_t i = session->applied; i < session->chunks.size(); ++i) {
      shard_->keep(session->chunks[i]);
    }
    shard_->end_update();
    for (RowShard& rows : row_shards_) rows.drop_sum();  // its rows are not applied
    ++stats_.updates;
    ++stats_.partial_pushes;
    logger_.warning(name_, ": worker rank ", session->rank, " was lost in the middle of push #",
                    session->sequence, ": ", session->applied, " of ", session->chunk_count(),
                    " chunks of it are applied and stay");
  }
  const bool half_summed = open_step_.summing == incarnation && session->applied > 0;
  if (session->rank == 0) frozen_.reset();
  by_rank_[static_cast<std::size_t>(session->rank)] = nullptr;
  sessions_.erase(incarnation);
  std::erase(turns_, incarnation);
  if (half_summed) restart_step();
  if (open_step_.summing == incarnation) open_step_.summing = 0;
  advance();
}

}  // namespace dtrain::inline v0::ps
