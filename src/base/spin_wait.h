#pragma once

#include <sched.h>

#include "base/clock.h"

namespace dtrain::inline v0::base {

/// Whether this process has a core to look for news on while others work: more than one, by
/// affinity and control group. Found out once.
bool spinning_pays();

/// Calls `news` until it says true, or for `budget`; what it said last. Other threads that want
/// this core get it in between.
template <typename News>
bool spin_until(const News& news, Duration budget) {
  const TimePoint end = std::chrono::steady_clock::now() + budget;
  do {
    for (int i = 0; i < 8; ++i) {
      if (news()) return true;
    }
    sched_yield();
  } while (std::chrono::steady_clock::now() < end);
  return news();
}

/// A thread's habit of looking for news before it sleeps, because waking it takes longer than most
/// answers do. Where nothing ever comes so soon (a server whose workers compute for milliseconds)
/// it looks only now and then. Thread-compatible.
class SpinWait {
 public:
  template <typename News>
  bool until(const News& news) {
    if (!pays_) return false;
    if (budget_ < kBudgetMin && ++skipped_ < kSkippedMax) return false;
    skipped_ = 0;
    const bool found = spin_until(news, budget_ < kBudgetMin ? kBudgetMax : budget_);
    budget_ = found ? kBudgetMax : budget_ / 2;
    return found;
  }

 private:
  static constexpr Duration kBudgetMax = std::chrono::microseconds(50);
  static constexpr Duration kBudgetMin = std::chrono::microseconds(3);
  static constexpr int kSkippedMax = 32;

  const bool pays_ = spinning_pays();
  Duration budget_ = kBudgetMax;
  int skipped_ = 0;
};

}  // namespace dtrain::inline v0::base
