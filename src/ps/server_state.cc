// What Server and Client do for checkpoints: a copy of one version to read, and the way back.
#include <cmath>
#include <utility>

#include "base/strings.h"
#include "compute/optimizer.h"
#include "ps/client.h"
#include "ps/operation.h"
#include "ps/protocol_error.h"
#include "ps/server.h"

namespace dtrain::inline v0::ps {
namespace {

/// Steps go on counting from what is restored.
constexpr std::uint64_t kStepMax = std::uint64_t{1} << 62;

}  // namespace

base::Status Server::check_restored(const pb::Begin& begin) const {
  switch (begin.kind()) {
    case pb::Begin::PUSH:
      return {};
    case pb::Begin::FREEZE:
    case pb::Begin::THAW:
      if (begin.ranges_size() == 0 && begin.pull_id() == 0) return {};
      return protocol_error("an operation without values names some");
    case pb::Begin::ASSIGN:
      break;
    default:
      return protocol_error("an operation of unknown kind");
  }
  const pb::Restored& restored = begin.restored();
  const auto slots = static_cast<std::uint32_t>(compute::slot_count(table_->optimizer));
  if (restored.slot() > slots) {
    return protocol_error(base::str_cat("an assignment to slot ", restored.slot(), " of ", slots));
  }
  if (restored.step() > kStepMax) return protocol_error("a step that cannot be");
  if (!(restored.learning_rate() >= 0.0F && std::isfinite(restored.learning_rate()))) {
    return protocol_error("a learning rate that cannot be");
  }
  return {};
}

base::Status Server::check_frozen(std::uint32_t part) const {
  if (part <= frozen_->parts.size()) return {};
  return protocol_error(base::str_cat("a pull of part ", part, " of ", frozen_->parts.size()));
}

void Server::apply_freeze(Session& session) {
  frozen_.reset();
  if (session.kind == pb::Begin::FREEZE) frozen_ = shard_->freeze();
  complete(session);
}

pb::Begin::Kind Client::kind_of(const Operation& operation) {
  if (operation.freeze == Freeze::kFreeze) return pb::Begin::FREEZE;
  if (operation.freeze == Freeze::kThaw) return pb::Begin::THAW;
  return operation.assign ? pb::Begin::ASSIGN : pb::Begin::PUSH;
}

PushTicket Client::freeze(Freeze freeze, PushTicket ticket) {
  return start_push({}, freeze, std::move(ticket));
}

VersionCompletion Client::pull_frozen(std::vector<Target> targets, int part,
                                      VersionCompletion done) {
  return start_pull(std::move(targets), static_cast<std::uint32_t>(part) + 1, std::move(done));
}

}  // namespace dtrain::inline v0::ps
