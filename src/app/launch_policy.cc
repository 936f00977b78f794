#include "app/launch_policy.h"

#include <csignal>

#include "base/strings.h"

namespace dtrain::inline v0::app {
namespace {

constexpr std::chrono::seconds kTerminateToKill{3};

std::string in_seconds(base::Duration duration) {
  return base::str_cat(base::seconds(duration), " s");
}

}  // namespace

LaunchPolicy::LaunchPolicy(const std::vector<LaunchMember>& members, Task chief,
                           base::Duration grace)
    : chief_(chief), grace_(grace), living_(members.size()) {
  for (const LaunchMember& member : members) members_.push_back({member, false, false});
}

std::string LaunchPolicy::name(std::size_t member) const {
  const LaunchMember& who = members_[member].who;
  return base::str_cat(to_string(who.task), " (pid ", who.pid, ")");
}

std::string LaunchPolicy::names_of_living() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (!members_[i].ended) names.push_back(name(i));
  }
  return base::join(names);
}

void LaunchPolicy::signal_living(LaunchActions& actions, int signal) const {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (!members_[i].ended) actions.signals.emplace_back(i, signal);
  }
}

void LaunchPolicy::begin_grace(base::TimePoint now, std::string since) {
  phase_ = Phase::kGrace;
  next_time_ = now + grace_;
  since_ = std::move(since);
}

void LaunchPolicy::note_failure(std::size_t member, process::ExitStatus status,
                                LaunchActions& actions) {
  const bool was_told = members_[member].told;
  const std::string what = was_told ? base::str_cat(name(member), " had to be ended")
                                    : base::str_cat(name(member), " ", process::describe(status));
  ++failures_;
  if (!first_failure_) {
    first_failure_ = Failure{status.ok() ? 128 + SIGTERM : status.shell_code(), what};
  }
  // The user knows already what the launcher did, and what their own signal does.
  if (was_told || phase_ == Phase::kKilled) return;
  if (user_signal_ != 0 && status.shell_code() == 128 + user_signal_) return;
  std::string then;
  if (phase_ == Phase::kRunning && living_ > 0) {
    then = is_essential(members_[member].who.task)
               ? base::str_cat("; the job cannot go on without it, the others have ",
                               in_seconds(grace_), " to end by themselves")
               : "; whether the job goes on without it is the others' decision";
  }
  actions.say.push_back(what + then);
}

LaunchActions LaunchPolicy::on_end(std::size_t member, process::ExitStatus status,
                                   base::TimePoint now) {
  LaunchActions actions;
  members_[member].ended = true;
  --living_;
  const Task task = members_[member].who.task;
  const bool failed = !status.ok() || members_[member].told;
  if (failed) note_failure(member, status, actions);
  if (phase_ == Phase::kRunning && (task == chief_ || (failed && is_essential(task)))) {
    begin_grace(now, base::str_cat(to_string(task), failed ? " failed" : " ended"));
  }
  return actions;
}

LaunchActions LaunchPolicy::on_signal(int signal) {
  LaunchActions actions;
  if (living_ == 0) return actions;
  if (user_signal_ == 0) {
    user_signal_ = signal;
    actions.say.push_back(base::str_cat(process::signal_name(signal), " goes to ", living_,
                                        living_ == 1 ? " process" : " processes",
                                        "; a second one kills"));
    signal_living(actions, signal);
    return actions;
  }
  actions.say.push_back(
      base::str_cat("a second ", process::signal_name(signal), ": killing ", names_of_living()));
  phase_ = Phase::kKilled;
  next_time_ = base::kForever;
  signal_living(actions, SIGKILL);
  return actions;
}

LaunchActions LaunchPolicy::on_time(base::TimePoint now) {
  LaunchActions actions;
  if (now < next_time_ || living_ == 0) return actions;
  if (phase_ == Phase::kGrace) {
    actions.say.push_back(base::str_cat(names_of_living(), " did not end within ",
                                        in_seconds(grace_), " after ", since_,
                                        ": sending SIGTERM"));
    for (Member& member : members_) member.told = member.told || !member.ended;
    phase_ = Phase::kTerminating;
    next_time_ = now + kTerminateToKill;
    signal_living(actions, SIGTERM);
  } else {
    actions.say.push_back(base::str_cat(names_of_living(), " did not end within ",
                                        in_seconds(kTerminateToKill),
                                        " after SIGTERM: sending SIGKILL"));
    phase_ = Phase::kKilled;
    next_time_ = base::kForever;
    signal_living(actions, SIGKILL);
  }
  return actions;
}

std::string LaunchPolicy::summary() const {
  if (failures_ < 2) return {};
  return base::str_cat("the job failed: first ", first_failure_->what, ", then ", failures_ - 1,
                       failures_ == 2 ? " other" : " others");
}

}  // namespace dtrain::inline v0::app
