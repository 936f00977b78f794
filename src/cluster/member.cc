#include "cluster/member.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "dtrain/version.h"

namespace dtrain::inline v0::cluster {
namespace {

using State = MemberStatus::State;

/// What goes along in every pulse must stay small.
constexpr std::size_t kErrorTextBytesMax = 4096;

}  // namespace

Member::Member(transport::Endpoint& endpoint, std::vector<Peer> peers, std::vector<Task> workers,
               Task self, Peer chief, transport::LinkId chief_link, observe::Logger logger,
               Timing timing)
    : Participant(endpoint, std::move(peers), std::move(workers), self, std::move(logger), timing),
      chief_(std::move(chief)),
      chief_link_(chief_link) {}

void Member::on_message(transport::Incoming incoming) {
  if (incoming.link != chief_link_) return;
  pb::Message message;
  if (!message.ParseFromString(incoming.message.body)) {
    fail_here(Error(ErrorCode::kProtocol,
                    base::str_cat(chief_.describe(), " sent a message that does not decode"),
                    "Run the same version of dtrain everywhere"));
    return;
  }
  last_heard_ = endpoint_.now();
  heard_ = true;
  if (message.has_pulse()) on_pulse(message.pulse());
  if (message.has_gathered()) on_gathered(message.gathered());
}

void Member::on_pulse(const pb::Pulse& pulse) {
  if (!pulse.members().empty()) adopt(pulse);
  switch (pulse.phase()) {
    case pb::PHASE_RUNNING:
      if (view_on_io().phase == Phase::kJoining) {
        publish([](View& view) { view.phase = Phase::kRunning; });
        joined_.set(base::Done{});
      }
      break;
    case pb::PHASE_FINISHED:
      if (view_on_io().phase == Phase::kRunning) {
        publish([](View& view) { view.phase = Phase::kFinished; });
        finished_.set(base::Done{});
      } else if (view_on_io().phase == Phase::kJoining) {
        fail_here(Error(ErrorCode::kAborted, "the job was done before this process had joined"));
      }
      break;
    case pb::PHASE_FAILED:
      fail_here(
          Error(base::error_code_of(pulse.error_code()), base::without_code(pulse.error_text())));
      break;
    default:
      break;
  }
  const int own = find_member(view_on_io().members, to_proto(self_));
  const State state =
      own < 0 ? State::kLeft : view_on_io().members[static_cast<std::size_t>(own)].state;
  if (leaving_ && state != State::kAlive) left_.set(base::Done{});
}

void Member::adopt(const pb::Pulse& pulse) {
  std::vector<std::size_t> gone_now;
  publish([&](View& view) {
    if (pulse.epoch() < view.epoch) return;
    view.epoch = pulse.epoch();
    for (const pb::Member& news : pulse.members()) {
      const int found = find_member(view.members, news.task());
      if (found < 0 || !pb::State_IsValid(news.state())) continue;
      View::Member& member = view.members[static_cast<std::size_t>(found)];
      const auto state = static_cast<State>(news.state());
      const bool gone_news =
          state != member.state && (state == State::kLost || state == State::kLeft);
      if (gone_news && member.peer.task != self_) {
        gone_now.push_back(static_cast<std::size_t>(found));
      }
      member.state = state;
      member.incarnation = news.incarnation();
      member.detail = news.detail();
    }
  });
  for (const std::size_t member : gone_now) gone(view_on_io().members[member]);
}

void Member::fail_here(const Error& error) {
  fail(error);
  for (auto& [key, round] : rounds_) round.result.set(error);
  rounds_.clear();
}

base::Completion<Gathered> Member::gather(const std::string& name, std::string value) {
  base::Completion<Gathered> result;
  if (view_on_io().failure) {
    result.set(*view_on_io().failure);
    return result;
  }
  const RoundKey key{name, ++gather_counts_[name]};
  const auto [round, added] =
      rounds_.emplace(key, Round{std::move(value), result, endpoint_.now()});
  send_gather(key, round->second);
  return result;
}

void Member::send_gather(const RoundKey& key, const Round& round) {
  pb::Message message;
  pb::Gather& gather = *message.mutable_gather();
  gather.set_name(key.first);
  gather.set_sequence(key.second);
  gather.set_value(round.value);
  send(chief_link_, message);
}

void Member::on_gathered(const pb::GatherResult& result) {
  const auto found = rounds_.find({result.name(), result.sequence()});
  if (found == rounds_.end()) return;
  const base::Completion<Gathered> completion = found->second.result;
  rounds_.erase(found);
  completion.set(Gathered(result.values().begin(), result.values().end()));
}

void Member::leave(const base::Status& error) {
  if (leaving_) return;
  leaving_ = true;
  leave_error_ = error;
  leave_by_ = endpoint_.now() + timing_.reconnect_timeout;
  if (error) fail_here(*error);
  say_leave();
  if (!heard_) left_.set(base::Done{});  // there is nobody to tell yet
}

void Member::say_leave() {
  pb::Message message;
  pb::Leave& leave = *message.mutable_leave();
  *leave.mutable_task() = to_proto(self_);
  if (leave_error_) {
    leave.set_error_code(static_cast<std::uint32_t>(leave_error_->code()) + 1);
    leave.set_error_text(std::string(leave_error_->what()).substr(0, kErrorTextBytesMax));
  }
  send(chief_link_, message);
}

void Member::hello() {
  pb::Message message;
  pb::Hello& hello = *message.mutable_hello();
  *hello.mutable_task() = to_proto(self_);
  hello.set_version(DTRAIN_VERSION);
  hello.set_epoch(view_on_io().epoch);
  send(chief_link_, message);
}

base::TimePoint Member::on_timer(base::TimePoint now) {
  if (leaving_ && now >= leave_by_) left_.set(base::Done{});
  if (unsendable_) fail_here(*unsendable_);
  if (now < next_hello_) return next_hello_;
  const bool joining = view_on_io().phase == Phase::kJoining;
  const base::Duration interval =
      joining ? timing_.heartbeat_interval / 4 : timing_.heartbeat_interval;
  next_hello_ = now + interval;
  if (leaving_) {
    say_leave();
  } else {
    hello();
  }
  for (const auto& [key, round] : rounds_) {
    // The chief decides about a round that takes too long; it has the same deadline.
    send_gather(key, round);
  }
  const base::Duration silent = now - last_heard_;
  if (heard_ && joining && silent >= timing_.peer_timeout) {
    // It may come back, as another process; until then it is the chief that is missing.
    heard_ = false;
    publish([&](View& view) {
      const int chief = find_member(view.members, to_proto(chief_.task));
      if (chief >= 0) view.members[static_cast<std::size_t>(chief)].state = State::kJoining;
    });
  }
  const bool watched = heard_ && view_on_io().phase == Phase::kRunning;
  if (watched && silent >= timing_.peer_timeout) {
    fail_here(Error(ErrorCode::kUnavailable,
                    base::str_cat(chief_.describe(), " (the chief) has been silent for ",
                                  base::seconds(silent), " s"),
                    "See that process's log; restart the job"));
  }
  return next_hello_;
}

}  // namespace dtrain::inline v0::cluster
