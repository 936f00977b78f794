#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "transport/address.h"
#include "transport/zmq_endpoint_impl.h"

namespace dtrain::inline v0::transport {
namespace {

/// Messages taken from one socket before the others get their turn.
constexpr int kBatchMessages = 32;

}  // namespace

base::Result<LinkId> ZmqEndpoint::connect(const std::string& address) {
  base::Result<Address> parsed = parse_address(address);
  if (!parsed.ok()) return parsed.error();
  if (parsed.value().scheme == Scheme::kSim || parsed.value().host == "*" ||
      (parsed.value().scheme == Scheme::kTcp && parsed.value().port == 0)) {
    return Error(ErrorCode::kInvalidArgument,
                 base::str_cat("Address \"", address, "\" cannot be connected to"),
                 "Name a host and a port other than 0, or ipc://@name");
  }
  const LinkId id = next_link_++;
  std::unique_ptr<ZmqLink> link;
  try {
    link = std::make_unique<ZmqLink>(context_, id, parsed.value(), options_.limits);
    watch(fd_of(link->socket()), id);
    if (link->monitor() != nullptr) watch(fd_of(link->monitor()), id | kMonitorBit);
  } catch (const Error& error) {
    if (link) link->close(base::Duration::zero());
    return error;
  }
  if (link->monitor() != nullptr) {
    named_links_.push_back(id);
    monitors_.push_back(id);
  }
  links_.emplace(id, std::move(link));
  if (hub_ && hub_->on() && parsed.value().scheme == Scheme::kTcp) {
    hub_->add_link(id, address, now());
  }
  touch_on_io(id);
  return id;
}

base::Status ZmqEndpoint::send(LinkId link, Message message) {
  if (base::Status status = gate_.check_outgoing(message)) return status;
  std::shared_ptr<SendQueue> queue = hub_ ? hub_->queue_of(link) : nullptr;
  const bool shared = queue != nullptr;
  ZmqLink* outgoing_link = nullptr;
  if (shared) {
    outgoing_link = (link & kInboundBit) == 0 ? links_.at(link).get() : nullptr;
  } else if ((link & kSharedBit) != 0) {
    return Error(ErrorCode::kUnavailable, "The peer behind this link has closed it",
                 "It shows its new link with its next message; if it does not come, restart it");
  } else if ((link & kInboundBit) != 0) {
    queue = inbound_queue_on_io(link);
  } else if (auto found = links_.find(link); found != links_.end()) {
    outgoing_link = found->second.get();
    queue = outgoing_link->queue();
  } else {
    return Error(ErrorCode::kUnavailable, base::str_cat("Link ", link, " is closed"),
                 "Connect anew");
  }
  if (queue->messages.load(std::memory_order_relaxed) >= options_.limits.queue_messages_max) {
    return Error(
        ErrorCode::kResourceExhausted,
        base::str_cat(options_.limits.queue_messages_max, " messages wait to leave on the link ",
                      outgoing_link == nullptr ? "to a peer" : "to ",
                      outgoing_link == nullptr ? "" : outgoing_link->address()),
        "The peer is slow, stopped or not there: wait for its answers, or raise "
        "EndpointLimits::queue_messages_max");
  }
  Outgoing outgoing;
  outgoing.first = gate_.encode_first_frame(message);
  const std::uint64_t payload_bytes = payload_bytes_of(message.payload);
  outgoing.payload = std::move(message.payload);
  outgoing.ticket = std::make_shared<Ticket>(std::move(queue));
  base::Status status;
  if (shared) {
    status = hub_->send(link, std::move(outgoing));
  } else if (outgoing_link == nullptr) {
    status = send_inbound_on_io(link, std::move(outgoing));
  } else {
    status = outgoing_link->send(std::move(outgoing));
    touch_on_io(link);
  }
  if (!status) gate_.count_sent(payload_bytes);
  return status;
}

base::Status ZmqEndpoint::send_inbound_on_io(LinkId link, Outgoing message) {
  if (listener_ == nullptr) {
    return Error(ErrorCode::kUnavailable, "This endpoint does not listen, so no peer opened a link",
                 "Answer on the link that the message came in on");
  }
  touch_on_io(kListenerKey);
  return send_on(listener_, static_cast<std::uint32_t>(link), std::move(message));
}

std::shared_ptr<SendQueue> ZmqEndpoint::inbound_queue_on_io(LinkId link) {
  if (inbound_queues_.size() >= inbound_sweep_at_) {
    for (auto entry = inbound_queues_.begin(); entry != inbound_queues_.end();) {
      const bool idle = entry->second->messages.load(std::memory_order_relaxed) == 0;
      entry = idle ? inbound_queues_.erase(entry) : std::next(entry);
    }
    inbound_sweep_at_ = std::max<std::size_t>(64, 2 * inbound_queues_.size());
  }
  std::shared_ptr<SendQueue>& queue = inbound_queues_[link];
  if (!queue) queue = std::make_shared<SendQueue>();
  return queue;
}

void ZmqEndpoint::close(LinkId link) {
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  if (hub_) hub_->close_link(link);
  ZmqLink& closing = *found->second;
  epoll_ctl(poll_fd_, EPOLL_CTL_DEL, fd_of(closing.socket()), nullptr);
  if (closing.monitor() != nullptr) {
    epoll_ctl(poll_fd_, EPOLL_CTL_DEL, fd_of(closing.monitor()), nullptr);
    named_links_.erase(std::find(named_links_.begin(), named_links_.end(), link));
  }
  closing.close(base::Duration::zero());
  links_.erase(found);
}

void ZmqEndpoint::touch_on_io(LinkId source) {
  if (active_.empty() || active_.back() != source) active_.push_back(source);
}

void ZmqEndpoint::run_on_io() {
  base::TimePoint next = base::TimePoint::min();
  if (hub_) hub_->context().desk->set_io_thread();
  while (true) {
    if (hub_) hub_->end_round();
    if (!spin_on_io(next)) sleep_on_io(next);
    {
      base::MutexLock lock(mutex_);
      if (stopping_) break;
    }
    dispatcher_.deliver_waiting();
    if (hub_) hub_->pump(now());
    std::vector<LinkId> sources = std::exchange(active_, {});
    std::sort(sources.begin(), sources.end());
    sources.erase(std::unique(sources.begin(), sources.end()), sources.end());
    for (const LinkId source : sources) drain_on_io(source);
    for (const LinkId id : std::exchange(monitors_, {})) {
      if (auto found = links_.find(id); found != links_.end()) {
        found->second->on_monitor(now());
        touch_on_io(id);
      }
    }
    run_posted_on_io();
    next = dispatcher_.run_timers(now());
    next = std::min(next, look_up_on_io(now()));
  }
  close_all_on_io();
}

bool ZmqEndpoint::spin_on_io(base::TimePoint until) {
  // Over the network libzmq's thread has to be woken anyway, and wants the core.
  if (!hub_ || !hub_->anyone_awake()) return false;
  if (until <= now() || !active_.empty() || !monitors_.empty()) return false;
  int turn = 0;
  return spin_.until([&] {
    if (hub_->has_news()) return true;
    {
      base::MutexLock lock(mutex_);
      if (!posted_.empty() || stopping_) return true;
    }
    // Sockets and doorbells take a system call to look at.
    return ++turn % 4 == 0 && poll_on_io(0);
  });
}

void ZmqEndpoint::sleep_on_io(base::TimePoint until) {
  if (hub_) until = std::min(until, hub_->prepare_wait(now()));
  int timeout_ms = -1;
  if (until != base::kForever) {
    // Rounded up: waking before the time would only turn the loop once more.
    const base::TimePoint at = now();
    const base::Duration left = std::max(until, at) - at;
    timeout_ms = static_cast<int>(std::min<std::int64_t>(
        std::max<std::int64_t>(0, (left.count() + 999'999) / 1'000'000), 60'000));
  }
  {
    base::MutexLock lock(mutex_);
    if (!posted_.empty() || stopping_ || !active_.empty() || !monitors_.empty()) timeout_ms = 0;
    awake_ = timeout_ms == 0;
  }
  poll_on_io(timeout_ms);
  base::MutexLock lock(mutex_);
  awake_ = true;
}

bool ZmqEndpoint::poll_on_io(int timeout_ms) {
  std::array<epoll_event, 64> events;
  const int count =
      epoll_wait(poll_fd_, events.data(), static_cast<int>(events.size()), timeout_ms);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t key = events[static_cast<std::size_t>(i)].data.u64;
    if (key == kWakeKey) {
      std::uint64_t ignored;
      static_cast<void>(!read(wake_fd_, &ignored, sizeof(ignored)));
    } else if ((key & (kShmSocketBit | kShmBellBit)) != 0) {
      hub_->on_event(key);
    } else if ((key & kMonitorBit) != 0) {
      monitors_.push_back(key & ~kMonitorBit);
    } else {
      active_.push_back(key);
    }
  }
  return count > 0;
}

void ZmqEndpoint::drain_on_io(LinkId source) {
  for (int i = 0; i < kBatchMessages; ++i) {
    // Looked up each time: the handler of the last message may have closed the link.
    void* socket = listener_;
    if (source != kListenerKey) {
      const auto found = links_.find(source);
      if (found == links_.end()) return;
      socket = found->second->socket();
    }
    const std::unique_ptr<RawMessage> raw =
        receive_from(socket, source == kListenerKey, options_.limits.frame_count_max);
    if (!raw) return;
    receive_on_io(source, *raw);
  }
  touch_on_io(source);
}

void ZmqEndpoint::receive_on_io(LinkId source, RawMessage& raw) {
  if (take_note_on_io(source, raw)) return;
  const auto who = [&] {
    if (source != kListenerKey) {
      if (auto found = links_.find(source); found != links_.end()) return found->second->address();
    }
    const std::string peer = raw.peer_address();
    return peer.empty() ? std::string("a peer") : peer;
  };
  LinkId link = source;
  if (source == kListenerKey) {
    const std::optional<std::uint32_t> number = routing_number(raw.routing_id.bytes());
    // A peer that names itself is not dtrain; all such share one entry in the log.
    link = kInboundBit | number.value_or(0) | (number ? 0 : kMonitorBit);
    if (!number) {
      gate_.reject(link,
                   Error(ErrorCode::kProtocol, "A peer chose its own ZeroMQ routing id",
                         "Something else connects to this port: give dtrain a port of its own"),
                   true, who);
      return;
    }
  }
  std::optional<Incoming> incoming =
      gate_.admit(link, raw.first.bytes(), std::move(raw.payload), who);
  if (incoming && !dispatcher_.deliver(std::move(*incoming))) gate_.count_refused();
}

void ZmqEndpoint::run_posted_on_io() {
  std::vector<std::function<void()>> functions;
  {
    base::MutexLock lock(mutex_);
    functions.swap(posted_);
  }
  for (const std::function<void()>& function : functions) {
    {
      base::MutexLock lock(mutex_);
      if (stopping_) return;
    }
    dispatcher_.run(function);
  }
}

base::TimePoint ZmqEndpoint::look_up_on_io(base::TimePoint now) {
  base::TimePoint next = base::kForever;
  for (const LinkId id : named_links_) {
    ZmqLink& link = *links_.at(id);
    if (link.lookup_at() <= now) {
      link.on_lookup();
      resolver_->resolve(link.host(), [this, id](std::vector<std::string> hosts) {
        post([this, id, hosts = std::move(hosts)] {
          auto found = links_.find(id);
          if (found == links_.end()) return;
          found->second->on_resolved(hosts, this->now());
          touch_on_io(id);
        });
      });
    }
    next = std::min(next, link.lookup_at());
  }
  return next;
}

void ZmqEndpoint::close_all_on_io() {
  if (hub_) hub_->finish(options_.linger);
  for (auto& [id, link] : links_) link->close(options_.linger);
  links_.clear();
  named_links_.clear();
  if (listener_ != nullptr) {
    const auto linger = std::chrono::duration_cast<std::chrono::milliseconds>(options_.linger);
    const int linger_ms = static_cast<int>(linger.count());
    zmq_setsockopt(listener_, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
    zmq_close(listener_);
    listener_ = nullptr;
  }
}

}  // namespace dtrain::inline v0::transport
