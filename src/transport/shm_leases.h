#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/shared_memory.h"
#include "transport/shm_socket.h"

namespace dtrain::inline v0::transport {

/// Where the holds of received frames say that they have died, on whatever thread that happens,
/// so that the I/O thread can tell the senders. Thread-safe; the holds keep it alive.
class LeaseDesk : public std::enable_shared_from_this<LeaseDesk> {
 public:
  struct Returned {
    std::uint64_t session = 0;
    std::uint64_t lease = 0;
  };

  /// `wake` is rung when something is returned on another thread than the I/O thread. Borrowed
  /// until close().
  explicit LeaseDesk(int wake);
  void set_io_thread();
  void close();

  /// A hold that keeps `memory` mapped, and returns the lease when its last copy dies.
  std::shared_ptr<const void> hold(std::uint64_t session, std::uint64_t lease,
                                   std::shared_ptr<const base::SharedMemory> memory);
  /// What was returned since the last call.
  std::vector<Returned> take();

 private:
  void give_back(Returned returned);

  const pid_t pid_;
  base::Mutex mutex_;
  int wake_ DTRAIN_GUARDED_BY(mutex_);
  std::thread::id io_thread_ DTRAIN_GUARDED_BY(mutex_);
  std::vector<Returned> returned_ DTRAIN_GUARDED_BY(mutex_);
  bool woken_ DTRAIN_GUARDED_BY(mutex_) = false;
};

}  // namespace dtrain::inline v0::transport
