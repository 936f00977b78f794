#include "transport/dispatcher.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/strings.h"

namespace dtrain::inline v0::transport {
namespace {

/// Messages that wait for a service's first handler. Enough for the first call of each of some
/// hundred peers.
constexpr std::size_t kWaitingMax = 256;

}  // namespace

Dispatcher::Dispatcher(observe::Logger logger) : logger_(std::move(logger)) {}

void Dispatcher::set_handler(Service service, Handler* handler) {
  const std::size_t i = index(service);
  base::MutexLock lock(mutex_);
  Slot& slot = slots_[i];
  if (handler != nullptr && slot.handler != nullptr && slot.handler != handler) {
    throw Error(ErrorCode::kFailedPrecondition,
                base::str_cat("Service ", static_cast<int>(service),
                              " of this endpoint has a handler already"),
                "Take the first one away with set_handler(service, nullptr)");
  }
  slot.handler = handler;
  if (handler != nullptr) {
    slot.had_handler = true;
    return;
  }
  // A handler that takes itself away would wait for itself.
  if (running_slot_ == i && running_thread_ == std::this_thread::get_id()) return;
  while (running_slot_ == i) idle_.wait(mutex_);
}

Handler* Dispatcher::begin(std::size_t slot) {
  base::MutexLock lock(mutex_);
  Handler* handler = slots_[slot].handler;
  if (handler != nullptr) {
    running_slot_ = slot;
    running_thread_ = std::this_thread::get_id();
  }
  return handler;
}

void Dispatcher::end() {
  {
    base::MutexLock lock(mutex_);
    running_slot_ = kServiceCount;
  }
  idle_.notify_all();
}

void Dispatcher::call(std::size_t slot, const std::function<void(Handler&)>& function) {
  Handler* handler = begin(slot);
  if (handler == nullptr) return;
  guarded("A transport handler", [&] { function(*handler); });
  end();
}

void Dispatcher::guarded(const char* what, const std::function<void()>& function) {
  std::string thrown;
  try {
    function();
    return;
  } catch (const std::exception& error) {
    thrown = error.what();
  } catch (...) {
    thrown = "something that is no std::exception";
  }
  {
    base::MutexLock lock(mutex_);
    ++exceptions_;
  }
  logger_.error(Error(ErrorCode::kInternal, base::str_cat(what, " threw: ", thrown),
                      "Please report this as a bug of dtrain")
                    .what());
}

bool Dispatcher::deliver(Incoming incoming) {
  const std::size_t i = index(incoming.message.service);
  if (i >= waiting_.size()) return false;  // Endpoints' own messages.
  {
    base::MutexLock lock(mutex_);
    if (slots_[i].handler == nullptr) {
      if (slots_[i].had_handler || waiting_[i].size() >= kWaitingMax) return false;
      waiting_[i].push_back(std::move(incoming));
      return true;
    }
  }
  deliver_waiting();
  call(i, [&](Handler& handler) { handler.on_message(std::move(incoming)); });
  return true;
}

void Dispatcher::deliver_waiting() {
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    if (waiting_[i].empty()) continue;
    {
      base::MutexLock lock(mutex_);
      if (!slots_[i].had_handler) continue;
    }
    std::deque<Incoming> waited = std::exchange(waiting_[i], {});
    for (Incoming& incoming : waited) {
      call(i, [&](Handler& handler) { handler.on_message(std::move(incoming)); });
    }
  }
}

base::TimePoint Dispatcher::run_timers(base::TimePoint now) {
  base::TimePoint next = base::kForever;
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    call(i, [&](Handler& handler) { next = std::min(next, handler.on_timer(now)); });
  }
  return next;
}

void Dispatcher::run(const std::function<void()>& function) {
  guarded("A function posted to an endpoint", function);
}

std::uint64_t Dispatcher::exceptions() const {
  base::MutexLock lock(mutex_);
  return exceptions_;
}

}  // namespace dtrain::inline v0::transport
