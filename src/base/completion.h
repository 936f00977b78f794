#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/spin_wait.h"

namespace dtrain::inline v0::base {

/// A one-shot event with a value, set on one thread and awaited on another. Copies share the
/// event. Thread-safe.
template <typename T>
class Completion {
 public:
  Completion() : state_(std::make_shared<State>()) {}

  /// The first call decides; later ones change nothing.
  void set(Result<T> result) const {
    {
      MutexLock lock(state_->mutex);
      if (state_->result) return;
      state_->result.emplace(std::move(result));
      state_->done.store(true, std::memory_order_release);
    }
    state_->changed.notify_all();
  }

  bool done() const { return state_->done.load(std::memory_order_acquire); }

  /// Waits on the steady clock; false when `deadline` passed first.
  bool wait_until(TimePoint deadline) const {
    if (spinning_pays() && spin_until([this] { return done(); }, kSpin)) return true;
    MutexLock lock(state_->mutex);
    while (!state_->result) {
      if (deadline == kForever) {
        state_->changed.wait(state_->mutex);
      } else if (state_->changed.wait_until(state_->mutex, deadline) == std::cv_status::timeout) {
        return state_->result.has_value();
      }
    }
    return true;
  }

  /// Waits without a deadline of its own: who sets it has one. Throws the error if it is one.
  T get() const {
    wait_until(kForever);
    MutexLock lock(state_->mutex);
    return std::move(state_->result->value());
  }

 private:
  /// Short enough for a caller that would only sleep, long enough for a small message's answer.
  static constexpr Duration kSpin = std::chrono::microseconds(20);

  struct State {
    std::atomic<bool> done{false};
    Mutex mutex;
    Condition changed;
    std::optional<Result<T>> result DTRAIN_GUARDED_BY(mutex);
  };
  std::shared_ptr<State> state_;
};

/// The value of a Completion that only says "done".
struct Done {};

}  // namespace dtrain::inline v0::base
