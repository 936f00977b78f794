#include "transport/shm_leases.h"

#include <unistd.h>

#include <utility>

namespace dtrain::inline v0::transport {

LeaseDesk::LeaseDesk(int wake) : pid_(getpid()), wake_(wake) {}

void LeaseDesk::set_io_thread() {
  base::MutexLock lock(mutex_);
  io_thread_ = std::this_thread::get_id();
}

void LeaseDesk::close() {
  base::MutexLock lock(mutex_);
  wake_ = -1;
  returned_.clear();
}

std::shared_ptr<const void> LeaseDesk::hold(std::uint64_t session, std::uint64_t lease,
                                            std::shared_ptr<const base::SharedMemory> memory) {
  const void* place = memory.get();
  return std::shared_ptr<const void>(
      place, [desk = shared_from_this(), session, lease, memory = std::move(memory)](const void*) {
        desk->give_back({session, lease});
      });
}

void LeaseDesk::give_back(Returned returned) {
  // A forked child inherits the holds, but neither the memory nor the lock's owner.
  if (getpid() != pid_) return;
  base::MutexLock lock(mutex_);
  if (wake_ < 0) return;
  returned_.push_back(returned);
  // The I/O thread looks before it sleeps.
  if (woken_ || std::this_thread::get_id() == io_thread_) return;
  woken_ = true;
  const std::uint64_t one = 1;
  static_cast<void>(!write(wake_, &one, sizeof(one)));
}

std::vector<LeaseDesk::Returned> LeaseDesk::take() {
  base::MutexLock lock(mutex_);
  woken_ = false;
  return std::exchange(returned_, {});
}

}  // namespace dtrain::inline v0::transport
