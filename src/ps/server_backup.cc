// Server's synchronous steps with backup workers: the first contributions count, in the order in
// which they come, and the others are dropped. Which step a push is for is told by its worker;
// every worker that a server has let into step k + 1 had all servers' answers to its push of step
// k, so a step that one server has finished is finished by all of them.
#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "ps/server.h"

namespace dtrain::inline v0::ps {

namespace {

/// Honest workers are a step or two ahead of a server: they had all servers' answers to the step
/// before.
constexpr std::uint64_t kStepsAheadMax = 1 << 16;

}  // namespace

std::uint64_t Server::step_of(const pb::Begin& begin) const {
  return table_->backup_workers() > 0 ? begin.step() : 0;
}

base::Status Server::check_step(const pb::Begin& begin) const {
  if (begin.kind() != pb::Begin::PUSH || table_->backup_workers() == 0) return {};
  if (begin.step() > steps_ + kStepsAheadMax) {
    return Error(ErrorCode::kProtocol,
                 base::str_cat("a push for step ", begin.step(), " during step ", steps_));
  }
  // Whoever was in the sum may be gone, but the sum is still of its variables.
  const bool joins = open_step_.weight_total > 0 && begin.weight() > 0 && begin.step() == steps_;
  if (!joins) return {};
  const bool same_ranges =
      std::ranges::equal(begin.ranges(), open_step_.ranges, [](const pb::Range& a, const Range& b) {
        return a.begin() == b.begin && a.count() == b.count;
      });
  const bool same_rows = std::ranges::equal(
      begin.rows(), open_step_.row_parts,
      [](const pb::RowPart& a, const RowPart& b) { return a.table() == b.table; });
  if (same_ranges && same_rows) return {};
  return Error(ErrorCode::kInvalidArgument,
               base::str_cat("step ", steps_, " has begun with other variables or tables"),
               "In synchronous mode all workers push the same variables in each step");
}

void Server::advance_with_backup() {
  const std::size_t needed = by_rank_.size() - static_cast<std::size_t>(table_->backup_workers());
  while (!held()) {
    drop_late_contributions();
    Session* session = contributor_in_turn();
    if (session && !sum_contribution(*session)) return;  // more of it is on the way
    const bool enough = open_step_.contributors.size() >= needed && open_step_.weight_total > 0;
    if (enough || nobody_else_contributes()) {
      finish_step_with_backup();
    } else if (!session) {
      return;
    }
  }
}

bool Server::has_contributed(const Session& session) const {
  return std::ranges::count(open_step_.contributors, session.incarnation) != 0;
}

/// Whose push goes into the sum next: the one that is going into it, else the first that is whole,
/// else the first that must be asked for its chunks. Null when there is none.
Session* Server::contributor_in_turn() {
  if (open_step_.summing != 0) return session_of(open_step_.summing);
  Session* asked = nullptr;
  for (const std::uint64_t incarnation : turns_) {
    Session* session = session_of(incarnation);
    if (!session || !session->pushing() || session->step != steps_) continue;
    if (has_contributed(*session)) continue;
    if (session->whole()) return session;
    const bool arrives_unasked = session->credit >= session->chunk_count();
    if (!asked && !arrives_unasked) asked = session;
  }
  return asked;
}

/// Adds what has arrived; true when the contribution is whole.
bool Server::sum_contribution(Session& session) {
  open_step_.summing = session.incarnation;
  const bool first = open_step_.weight_total == 0;
  grant(session, session.chunk_count());
  while (!session.stash.empty()) sum_next_chunk(session, first);
  if (session.applied < session.chunk_count()) return false;
  open_step_.summing = 0;
  open_step_.contributors.push_back(session.incarnation);
  if (session.weight > 0) {
    open_step_.weight_total += static_cast<double>(session.weight);
    open_step_.ranges = session.ranges;
    open_step_.row_parts = session.rows.parts();
    ++open_step_.counting;
  }
  return true;
}

/// Everybody who is there has contributed or is at a later step: a worker that jumped ahead while
/// this server was behind does not come back to the step. (The step may even be without any
/// contribution, when the worker that made it whole elsewhere was lost on the way here.)
bool Server::nobody_else_contributes() const {
  bool somebody_waits = false;
  for (std::size_t rank = 0; rank < by_rank_.size(); ++rank) {
    if (gone_ranks_.contains(static_cast<int>(rank))) continue;
    const Session* session = by_rank_[rank];
    if (!session) return false;
    somebody_waits = true;
    if (has_contributed(*session)) continue;
    if (!session->pushing() || session->step <= steps_) return false;
  }
  return somebody_waits;
}

void Server::finish_step_with_backup() {
  const OpenStep step = std::exchange(open_step_, {});
  if (step.weight_total > 0) {
    apply_row_sums(step.row_parts, step.weight_total);
    shard_->apply_sum(step.ranges, step.weight_total);
    ++stats_.updates;
    stats_.contributions += step.counting;
  } else {
    ++stats_.empty_steps;
  }
  ++steps_;
  for (const std::uint64_t incarnation : step.contributors) {
    std::erase(turns_, incarnation);
    if (Session* session = session_of(incarnation)) complete(*session);
  }
}

void Server::drop_late_contributions() {
  std::vector<Session*> late;
  for (const std::uint64_t incarnation : turns_) {
    Session* session = session_of(incarnation);
    if (session && session->pushing() && session->step < steps_) late.push_back(session);
  }
  for (Session* session : late) {
    if (open_step_.summing == session->incarnation) open_step_.summing = 0;
    session->stash.clear();
    if (session->weight > 0) ++stats_.late_contributions;
    std::erase(turns_, session->incarnation);
    complete(*session);
  }
}

/// What a lost worker left in the sum cannot be taken out again, so everybody's share is asked for
/// once more: it is still in their memory.
void Server::restart_step() {
  open_step_ = {};
  for (RowShard& rows : row_shards_) rows.drop_sum();
  for (Session* session : by_rank_) {
    if (!session || !session->pushing() || session->step != steps_) continue;
    if (session->applied == 0) continue;
    session->received = session->applied = 0;
    session->stash.clear();
    send_position(*session, true);
  }
}

}  // namespace dtrain::inline v0::ps
