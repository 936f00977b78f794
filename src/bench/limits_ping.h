#pragma once

#include <cstddef>
#include <vector>

#include "bench/child.h"
#include "bench/shared_pages.h"

namespace dtrain::inline v0::bench {

/// How a process waits for the other one.
enum class Waiting {
  kSleep,  ///< FUTEX_WAIT, at once.
  kSpin,   ///< Reading the word until it changes: each process needs a core of its own.
};

/// Where the two processes run. It decides more than anything else: on one core a round trip is two
/// switches, on two cores each wake-up may have to bring a sleeping core back (in a virtual machine
/// ten times as much), and a scheduler that may choose goes from one to the other.
enum class Cores {
  kAny,  ///< Wherever the scheduler puts them.
  kOne,  ///< Both on one; for Waiting::kSleep.
  kTwo,  ///< Each on its own, where this process may use two.
};

/// Round trips of one word in shared memory between two processes. Confined to one thread.
class PingLimit {
 public:
  PingLimit();

  /// Seconds of each of `count` round trips. Throws unavailable or deadline_exceeded when the child
  /// is gone. The calling thread is bound to a core meanwhile where `cores` asks for it.
  std::vector<double> sample(std::size_t count, Waiting waiting = Waiting::kSleep,
                             Cores cores = Cores::kAny);

 private:
  SharedPages pages_;
  Child child_;
};

}  // namespace dtrain::inline v0::bench
