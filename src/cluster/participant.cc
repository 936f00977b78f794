#include "cluster/participant.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace dtrain::inline v0::cluster {
namespace {

pb::Role to_proto(Role role) {
  switch (role) {
    case Role::kChief:
      return pb::CHIEF;
    case Role::kWorker:
      return pb::WORKER;
    case Role::kPs:
      return pb::PS;
    case Role::kEvaluator:
      return pb::EVALUATOR;
  }
  return pb::ROLE_UNSPECIFIED;
}

}  // namespace

std::string Peer::describe() const {
  return address.empty() ? to_string(task) : base::str_cat(to_string(task), " at ", address);
}

pb::Task to_proto(Task task) {
  pb::Task message;
  message.set_role(to_proto(task.role));
  message.set_index(static_cast<std::uint32_t>(task.index));
  return message;
}

int find_member(const std::vector<View::Member>& members, const pb::Task& task) {
  const auto found = std::ranges::find_if(members, [&](const View::Member& member) {
    return to_proto(member.peer.task.role) == task.role() &&
           static_cast<std::uint32_t>(member.peer.task.index) == task.index();
  });
  return found == members.end() ? -1 : static_cast<int>(found - members.begin());
}

Participant::Participant(transport::Endpoint& endpoint, std::vector<Peer> peers,
                         std::vector<Task> workers, Task self, observe::Logger logger,
                         Timing timing)
    : endpoint_(endpoint),
      workers_(std::move(workers)),
      self_(self),
      logger_(std::move(logger)),
      timing_(timing) {
  for (Peer& peer : peers) view_.members.push_back({.peer = std::move(peer)});
}

View Participant::view() const {
  base::MutexLock lock(mutex_);
  return view_;
}

void Participant::publish(const std::function<void(View&)>& change) {
  base::MutexLock lock(mutex_);
  change(view_);
}

void Participant::on_failure(std::function<void(const Error&)> listener) {
  if (view_.failure) listener(*view_.failure);
  failure_listeners_.push_back(std::move(listener));
}

void Participant::on_gone(std::function<void(const View::Member&)> listener) {
  gone_listeners_.push_back(std::move(listener));
}

void Participant::fail(const Error& error) {
  if (view_.phase == Phase::kFailed || view_.phase == Phase::kFinished) return;
  publish([&](View& view) {
    view.phase = Phase::kFailed;
    view.failure = error;
  });
  joined_.set(error);
  finished_.set(error);
  for (const auto& listener : failure_listeners_) listener(error);
}

void Participant::gone(const View::Member& member) {
  if (member.state == MemberStatus::State::kLost) {
    logger_.warning(to_string(self_), ": ", member.peer.describe(), " is lost: ", member.detail);
  }
  for (const auto& listener : gone_listeners_) listener(member);
}

std::vector<Peer> Participant::missing() const {
  base::MutexLock lock(mutex_);
  std::vector<Peer> peers;
  for (const View::Member& member : view_.members) {
    if (member.state == MemberStatus::State::kJoining &&
        member.peer.task.role != Role::kEvaluator) {
      peers.push_back(member.peer);
    }
  }
  return peers;
}

int Participant::rank_of(Task task) const {
  const auto found = std::ranges::find(workers_, task);
  return found == workers_.end() ? -1 : static_cast<int>(found - workers_.begin());
}

base::Status Participant::send_status(transport::LinkId link, const pb::Message& message) {
  return endpoint_.send(
      link, {.service = transport::Service::kCluster, .body = message.SerializeAsString()});
}

void Participant::send(transport::LinkId link, const pb::Message& message) {
  // Everything here is sent again at the next interval, but for what will never leave.
  const base::Status status = send_status(link, message);
  if (status && status->code() == ErrorCode::kFailedPrecondition) unsendable_ = status;
}

}  // namespace dtrain::inline v0::cluster
