#include "cluster/coordinator.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "dtrain/version.h"

namespace dtrain::inline v0::cluster {

using State = MemberStatus::State;

Coordinator::Coordinator(transport::Endpoint& endpoint, std::vector<Peer> peers,
                         std::vector<Task> workers, Task self, observe::Logger logger,
                         Timing timing)
    : Participant(endpoint, std::move(peers), std::move(workers), self, std::move(logger), timing),
      contacts_(view_on_io().members.size()) {
  self_member_ = static_cast<std::size_t>(find_member(view_on_io().members, to_proto(self)));
  publish([&](View& view) {
    view.members[self_member_].state = State::kAlive;
    view.members[self_member_].incarnation = endpoint.incarnation();
  });
  start_if_complete();
}

void Coordinator::on_message(transport::Incoming incoming) {
  pb::Message message;
  if (!message.ParseFromString(incoming.message.body)) {
    logger_.warning("chief: a message that does not decode came from sender ", incoming.sender,
                    "; it is ignored from now on");
    endpoint_.refuse(incoming.sender);
    return;
  }
  if (message.has_hello()) on_hello(incoming, message.hello());
  if (message.has_leave()) on_leave(incoming, message.leave());
  if (message.has_gather()) on_gather(incoming, message.gather());
}

void Coordinator::on_hello(const transport::Incoming& incoming, const pb::Hello& hello) {
  const int found = find_member(view_on_io().members, hello.task());
  if (found < 0 || static_cast<std::size_t>(found) == self_member_) {
    reject(incoming.link,
           Error(ErrorCode::kInvalidArgument, "this task is not one of the chief's cluster",
                 "Give all tasks the same cluster in TF_CONFIG"));
    return;
  }
  const auto index = static_cast<std::size_t>(found);
  const View::Member& member = view_on_io().members[index];
  if (const base::Status status = admit(index, incoming, hello)) {
    logger_.warning("chief: ", member.peer.describe(), " is refused: ", status->what());
    reject(incoming.link, *status);
    const bool restarted = view_on_io().phase == Phase::kRunning && member.state == State::kAlive &&
                           member.incarnation != incoming.sender;
    if (restarted) member_lost(index, "it was restarted and has lost what it knew");
    return;
  }
  Contact& contact = contacts_[index];
  contact.link = incoming.link;
  contact.last_heard = endpoint_.now();
  contact.unreachable_since = base::kForever;
  contact.epoch_seen = hello.epoch();
  if (member.state == State::kJoining) {
    publish([&](View& view) { view.members[index].incarnation = incoming.sender; });
    set_state(index, State::kAlive, {});
    start_if_complete();
    pulse(index);
  } else if (member.incarnation != incoming.sender) {
    // Restarted before the job began: nothing is lost yet.
    publish([&](View& view) { view.members[index].incarnation = incoming.sender; });
  }
}

base::Status Coordinator::admit(std::size_t member, const transport::Incoming& incoming,
                                const pb::Hello& hello) const {
  const View::Member& known = view_on_io().members[member];
  if (hello.version() != DTRAIN_VERSION) {
    return Error(ErrorCode::kProtocol,
                 base::str_cat(known.peer.describe(), " runs dtrain ", hello.version(),
                               ", the chief runs " DTRAIN_VERSION),
                 "Run the same version everywhere");
  }
  if (view_on_io().phase == Phase::kJoining || known.state == State::kJoining) return {};
  if (known.incarnation == incoming.sender && known.state != State::kLost) return {};
  return Error(ErrorCode::kAborted,
               base::str_cat(to_string(known.peer.task), " cannot come back into a running job",
                             known.detail.empty() ? "" : ": ", known.detail),
               "Restart the whole job");
}

void Coordinator::on_leave(const transport::Incoming& incoming, const pb::Leave& leave) {
  const int found = find_member(view_on_io().members, leave.task());
  if (found < 0) return;
  const auto index = static_cast<std::size_t>(found);
  const View::Member& member = view_on_io().members[index];
  if (member.incarnation != incoming.sender) return;
  contacts_[index].link = incoming.link;
  contacts_[index].last_heard = endpoint_.now();
  if (member.state == State::kAlive) {
    if (view_on_io().phase == Phase::kJoining) {
      forget(index);
    } else if (view_on_io().phase != Phase::kRunning) {
      // The answer to the last pulse, whatever it says: that news has been told.
      set_state(index, State::kLeft, {});
    } else if (leave.error_code() != 0) {
      // Whether trying again can help is what the member's own code says.
      member_lost(index, base::str_cat("it failed: ", leave.error_text()),
                  base::error_code_of(leave.error_code() - 1));
    } else if (member.peer.task.role == Role::kPs) {
      member_lost(index, "it ended before the job was done");
    } else {
      set_state(index, State::kLeft, {});
      gone(view_on_io().members[index]);
      check_rounds();
      pulse_all();
    }
  }
  pulse(index);
}

void Coordinator::forget(std::size_t member) {
  logger_.info("chief: ", view_on_io().members[member].peer.describe(),
               " has gone before the job began; waiting for it again");
  set_state(member, State::kJoining, {});
  publish([&](View& view) { view.members[member].incarnation = 0; });
  pulse(member);  // the answer to a good-bye
  contacts_[member] = {};
}

void Coordinator::start_if_complete() {
  if (view_on_io().phase != Phase::kJoining || !missing().empty()) return;
  publish([](View& view) {
    view.phase = Phase::kRunning;
    view.epoch = 1;
  });
  joined_.set(base::Done{});
  pulse_all();
}

void Coordinator::set_state(std::size_t member, State state, std::string detail) {
  publish([&](View& view) {
    view.members[member].state = state;
    view.members[member].detail = std::move(detail);
    if (view.phase != Phase::kJoining) ++view.epoch;
  });
}

bool Coordinator::fatal(Task task) const {
  if (task.role == Role::kEvaluator) return false;
  if (task.role == Role::kPs) return true;
  const auto lost = std::ranges::count_if(view_on_io().members, [&](const View::Member& member) {
    return rank_of(member.peer.task) >= 0 && member.state == State::kLost;
  });
  return lost > worker_losses_max_;
}

void Coordinator::member_lost(std::size_t member, std::string detail, ErrorCode code) {
  set_state(member, State::kLost, std::move(detail));
  const View::Member record = view_on_io().members[member];
  gone(record);
  // After the end of the job a member that does not say good-bye is only worth a warning.
  if (fatal(record.peer.task) && view_on_io().phase == Phase::kRunning) {
    end_job(Error(code, base::str_cat(record.peer.describe(), " is lost: ", record.detail),
                  "See that process's log; restart the job"));
    return;
  }
  check_rounds();
  pulse_all();
}

void Coordinator::watch(base::TimePoint now) {
  const auto& members = view_on_io().members;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const Contact& contact = contacts_[i];
    if (i == self_member_ || members[i].state != State::kAlive) continue;
    const base::Duration silent = now - contact.last_heard;
    if (view_on_io().phase == Phase::kJoining) {
      if (silent >= timing_.peer_timeout) forget(i);
    } else if (silent >= timing_.peer_timeout) {
      member_lost(i, base::str_cat("no heartbeat for ", base::seconds(silent), " s"));
    } else if (contact.unreachable_since != base::kForever &&
               now - contact.unreachable_since >= timing_.reconnect_timeout) {
      member_lost(i, base::str_cat("its connection broke and it did not come back for ",
                                   base::seconds(now - contact.unreachable_since),
                                   " s: the process or its host is gone"));
    }
  }
}

base::TimePoint Coordinator::on_timer(base::TimePoint now) {
  if (now >= next_pulse_) {
    next_pulse_ = now + timing_.heartbeat_interval;
    watch(now);
    pulse_all();
    for (const auto& [key, round] : rounds_) {
      if (now - round.started < timing_.operation_timeout) continue;
      end_job(Error(
          ErrorCode::kDeadlineExceeded,
          base::str_cat("\"", key.first, "\" has waited ", base::seconds(timing_.operation_timeout),
                        " s for worker rank ", base::join(ranks_awaited(round))),
          "See what that worker does, or raise operation_timeout"));
      break;
    }
  }
  if (leaving_) end_if_possible(now);
  return next_pulse_;
}

void Coordinator::pulse(std::size_t member) {
  Contact& contact = contacts_[member];
  if (contact.link == transport::kNoLink) return;
  const View& view = view_on_io();
  pb::Message message;
  pb::Pulse& pulse = *message.mutable_pulse();
  pulse.set_epoch(view.epoch);
  pulse.set_phase(static_cast<pb::Phase>(view.phase));
  if (view.failure) {
    pulse.set_error_code(static_cast<std::uint32_t>(view.failure->code()));
    pulse.set_error_text(view.failure->what());
  }
  if (contact.epoch_seen != view.epoch || view.phase == Phase::kJoining) {
    for (const View::Member& known : view.members) {
      pb::Member& out = *pulse.add_members();
      *out.mutable_task() = to_proto(known.peer.task);
      out.set_incarnation(known.incarnation);
      out.set_state(static_cast<pb::State>(known.state));
      out.set_detail(known.detail);
    }
  }
  const base::Status status = send_status(contact.link, message);
  const bool gone = status && status->code() == ErrorCode::kUnavailable;
  if (!gone) {
    contact.unreachable_since = base::kForever;
  } else if (contact.unreachable_since == base::kForever) {
    contact.unreachable_since = endpoint_.now();
  }
}

void Coordinator::pulse_all() {
  for (std::size_t i = 0; i < contacts_.size(); ++i) {
    const State state = view_on_io().members[i].state;
    if (state == State::kAlive || state == State::kLost) pulse(i);
  }
}

void Coordinator::reject(transport::LinkId link, const Error& error) {
  pb::Message message;
  pb::Pulse& pulse = *message.mutable_pulse();
  pulse.set_phase(pb::PHASE_FAILED);
  pulse.set_error_code(static_cast<std::uint32_t>(error.code()));
  pulse.set_error_text(error.what());
  send(link, message);
}

void Coordinator::leave(const base::Status& error) {
  if (error && view_on_io().phase != Phase::kFailed) {
    // The others must read whose error it is.
    end_job(Error(error->code(), base::str_cat(view_on_io().members[self_member_].peer.describe(),
                                               " (the chief) failed: ", error->what())));
  }
  leaving_ = true;
  check_rounds();
  end_if_possible(endpoint_.now());
}

void Coordinator::end_job(const Error& error) {
  if (view_on_io().phase == Phase::kFailed) return;
  fail(error);
  for (auto& [key, round] : rounds_) {
    if (round.own) round.own->set(error);
  }
  rounds_.clear();
  pulse_all();
}

void Coordinator::end_if_possible(base::TimePoint now) {
  const auto& members = view_on_io().members;
  const auto any_alive = [&](auto matches) {
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i != self_member_ && members[i].state == State::kAlive && matches(members[i]))
        return true;
    }
    return false;
  };
  if (view_on_io().phase == Phase::kRunning) {
    const bool workers_left =
        !any_alive([&](const View::Member& member) { return rank_of(member.peer.task) >= 0; });
    if (!workers_left) return;
    publish([](View& view) {
      view.phase = Phase::kFinished;
      ++view.epoch;
    });
    finished_.set(base::Done{});
    pulse_all();
  }
  // Members answer the last pulse with their good-bye; those that do not are not waited for long.
  if (end_by_ == base::kForever) end_by_ = now + timing_.reconnect_timeout;
  const bool everybody_left = !any_alive([](const View::Member&) { return true; });
  if (everybody_left || now >= end_by_) left_.set(base::Done{});
}

}  // namespace dtrain::inline v0::cluster
