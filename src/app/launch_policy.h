#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "dtrain/cluster_spec.h"
#include "process/exit_status.h"

namespace dtrain::inline v0::app {

/// One process of a launched cluster.
struct LaunchMember {
  Task task;
  pid_t pid = 0;
};

/// What the launcher is to do, in this order.
struct LaunchActions {
  std::vector<std::string> say;                      ///< Lines for the user.
  std::vector<std::pair<std::size_t, int>> signals;  ///< Which member gets which signal.
};

/// Decides what becomes of a cluster when one of its processes ends (docs/launch.md):
///
/// - Without the chief or a server the job cannot go on: the others have `grace` to end by
///   themselves, then they get SIGTERM, and 3 s later SIGKILL. The same when the chief has ended
///   well; who then has to be told is a failure.
/// - Whether it goes on without another worker is the others' decision.
/// - The first SIGINT, SIGTERM or SIGHUP of the user goes to every process, the second kills.
///
/// A pure state machine: it is told of events and of the time. Thread-compatible.
class LaunchPolicy {
 public:
  /// `chief` is the member without which there is no job: the chief, or worker 0.
  LaunchPolicy(const std::vector<LaunchMember>& members, Task chief, base::Duration grace);

  LaunchActions on_end(std::size_t member, process::ExitStatus status, base::TimePoint now);
  LaunchActions on_signal(int signal);
  /// Call when next_time() has come.
  LaunchActions on_time(base::TimePoint now);

  base::TimePoint next_time() const { return next_time_; }
  /// All have ended.
  bool done() const { return living_ == 0; }
  /// on_signal() was called before.
  bool was_signalled() const { return user_signal_ != 0; }
  /// What to tell the user at the end; empty when there is nothing that was not said.
  std::string summary() const;
  /// 0 when all ended well, or what a shell says of the first that did not.
  int exit_code() const { return first_failure_ ? first_failure_->code : 0; }

 private:
  enum class Phase { kRunning, kGrace, kTerminating, kKilled };
  struct Member {
    LaunchMember who;
    bool ended = false;
    bool told = false;  // it did not end by itself within the grace
  };
  struct Failure {
    int code = 0;
    std::string what;
  };

  std::string name(std::size_t member) const;
  std::string names_of_living() const;
  bool is_essential(Task task) const { return task == chief_ || task.role == Role::kPs; }
  void signal_living(LaunchActions& actions, int signal) const;
  void note_failure(std::size_t member, process::ExitStatus status, LaunchActions& actions);
  void begin_grace(base::TimePoint now, std::string since);

  std::vector<Member> members_;
  Task chief_;
  base::Duration grace_;
  std::size_t living_;
  Phase phase_ = Phase::kRunning;
  base::TimePoint next_time_ = base::kForever;
  std::string since_;  // what began the grace
  int user_signal_ = 0;
  std::optional<Failure> first_failure_;
  int failures_ = 0;
};

}  // namespace dtrain::inline v0::app
