#include "transport/shm_hub.h"

#include <poll.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/strings.h"
#include "transport/gate.h"

namespace dtrain::inline v0::transport {
namespace {

using std::chrono::milliseconds;

/// A question may be lost with the connection that it went over.
constexpr base::Duration kAskAgainMin = milliseconds(250);
constexpr base::Duration kAskAgainMax = std::chrono::seconds(2);
/// A session that breaks is tried anew after so long; twice as long each time that it breaks soon.
constexpr base::Duration kRetryMin = milliseconds(50);
constexpr base::Duration kRetryMax = std::chrono::seconds(1);
/// A peer that has accepted the connection and says nothing for so long is left to the network.
constexpr base::Duration kHandshakeMax = std::chrono::seconds(30);
/// When to try again what waits for room in a socket or for descriptors on their way to be taken.
constexpr base::Duration kBlockedPause = milliseconds(10);
constexpr base::Duration kSweepInterval = std::chrono::seconds(1);
/// Of more processes than this the rest goes over the network.
constexpr std::size_t kSessionsMax = 4096;

}  // namespace

ShmHub::ShmHub(const EndpointOptions& options, int wake, observe::Logger logger, ShmHost& host)
    : options_(options), logger_(std::move(logger)), host_(host), context_(options, wake) {
  base::Status status = base::SharedMemory::create(kShmOutboxBytes).status();
  if (!status && !options.listen.empty()) {
    base::Result<ShmListener> listener = listen_abstract();
    status = listener.status();
    if (!status) listener_ = std::move(listener.value());
  }
  if (status) {
    off_reason_ = reason_of(*status);
    if (options.shared_memory == SharedMemoryUse::kRequired) {
      throw Error(ErrorCode::kUnavailable, base::str_cat("Shared memory is off: ", off_reason_),
                  "Allow the call, or use DTRAIN_TRANSPORT=auto or tcp");
    }
    log_once("", off_reason_);
    return;
  }
  if (listener_.socket && !host_.watch_edge(listener_.socket.get(), kShmSocketBit)) {
    throw Error(ErrorCode::kResourceExhausted, "The kernel does not watch one more socket",
                "Raise fs.epoll.max_user_watches or the limit of open files (ulimit -n)");
  }
}

ShmHub::~ShmHub() { context_.desk->close(); }

void ShmHub::log_once(const std::string& address, const std::string& reason) {
  if (logged_.size() > 64 || !logged_.insert(reason).second) return;
  logger_.info("shared memory is off", address.empty() ? "" : " towards ", address, ": ", reason,
               "; using tcp");
}

ShmSession* ShmHub::find_session(std::uint64_t number) {
  const auto found = sessions_.find(number);
  return found == sessions_.end() ? nullptr : found->second.get();
}

void ShmHub::add_link(LinkId link, std::string address, base::TimePoint now) {
  Link& added = links_[link];
  added.address = std::move(address);
  added.ask_pause = kAskAgainMin;
  added.retry_pause = kRetryMin;
  added.act_at = now;
}

std::shared_ptr<SendQueue> ShmHub::queue_of(LinkId link) const {
  if (const auto found = links_.find(link); found != links_.end()) return found->second.queue;
  if ((link & kSharedBit) == 0) return nullptr;
  const auto session = sessions_.find(link & ~(kInboundBit | kSharedBit));
  const bool inbound = session != sessions_.end() && !session->second->outgoing();
  return inbound && session->second->state() == ShmSession::State::kOpen ? session->second->queue()
                                                                         : nullptr;
}

std::string ShmHub::address_of(LinkId link) const {
  const auto found = links_.find(link);
  return found == links_.end() ? "a process of this host" : found->second.address;
}

base::Status ShmHub::send(LinkId link, Outgoing message) {
  std::uint64_t number = link & ~(kInboundBit | kSharedBit);
  if (const auto found = links_.find(link); found != links_.end()) {
    if (found->second.state == Link::State::kFailed) return found->second.error;
    if (found->second.state != Link::State::kOpen) {
      found->second.waiting.push_back(std::move(message));
      return {};
    }
    number = found->second.session;
  }
  ShmSession& session = *sessions_.at(number);
  // What the message answers has often just been let go: one wake-up of the peer for both.
  collect_returns();
  // One that has just ended keeps the message: settle() moves it on.
  session.send(std::move(message));
  // A session that sleeps and found no room is looked at once more before this thread sleeps: the
  // peer may have made room just before it could know that somebody waits for it.
  if (session.waits()) awake_.insert(session.number());
  return {};
}

void ShmHub::close_link(LinkId link) {
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  ShmSession* session = find_session(found->second.session);
  links_.erase(found);
  if (session) session->end("the link was closed");
}

ShmNote ShmHub::answer(std::uint64_t job) const {
  if (!on()) return {ShmNote::Kind::kOff, off_reason_};
  if (job != options_.job) return {ShmNote::Kind::kOff, "the peer belongs to another job"};
  return {ShmNote::Kind::kHere, listener_.name};
}

void ShmHub::on_answer(LinkId id, const ShmNote& note, base::TimePoint now) {
  const auto found = links_.find(id);
  if (found == links_.end() || found->second.state != Link::State::kAsking) return;
  if (note.kind == ShmNote::Kind::kOff) {
    leave_to_network(id, note.text);
    return;
  }
  Link& link = found->second;
  base::Result<Fd> socket = connect_abstract(note.text);
  if (!socket.ok()) {
    if (ask_once_more(link, now)) return;
    leave_to_network(id, reason_of(socket.error()));
    return;
  }
  link.state = Link::State::kShaking;
  link.act_at = now + kHandshakeMax;
  ShmSession& session = add_session(id, std::move(socket.value()));
  link.session = session.number();
  session.start();
}

/// A peer that dies or starts anew in the middle of the hand-over deserves a second question.
bool ShmHub::ask_once_more(Link& link, base::TimePoint now) {
  if (std::exchange(link.asked_once_more, true)) return false;
  link.state = Link::State::kAsking;
  link.act_at = now + kRetryMin;
  link.ask_pause = kAskAgainMin;
  return true;
}

ShmSession& ShmHub::add_session(LinkId link, Fd socket) {
  const std::uint64_t number = ++last_session_;
  ShmSessionOwner& owner = *this;
  auto session = std::make_unique<ShmSession>(number, link, std::move(socket), context_, owner);
  ShmSession& added = *session;
  sessions_.emplace(number, std::move(session));
  if (!host_.watch_edge(added.socket().get(), kShmSocketBit | number)) {
    added.end("the kernel does not watch one more socket");
  }
  return added;
}

void ShmHub::accept_all() {
  while (std::optional<Fd> socket = accept_one(listener_.socket)) {
    if (sessions_.size() >= kSessionsMax) continue;
    ShmSession& session = add_session(kNoLink, std::move(*socket));
    shaking_[session.number()] = base::TimePoint::min();
    session.start();
  }
}

void ShmHub::on_event(std::uint64_t key) {
  const std::uint64_t number = key & ~(kShmSocketBit | kShmBellBit);
  if ((key & kShmSocketBit) != 0 && number == 0) {
    accept_all();
    return;
  }
  ShmSession* session = find_session(number);
  if (!session) return;
  session->wake();
  awake_.insert(number);
  if ((key & kShmSocketBit) != 0) session->on_socket();
}

void ShmHub::on_session_message(ShmSession& session, std::span<const std::byte> first,
                                std::vector<Frame> payload) {
  host_.deliver_shared(session.link(), first, std::move(payload));
}

void ShmHub::on_session_changed(ShmSession& session) {
  changed_.push_back(session.number());
  if (session.state() == ShmSession::State::kOpen) {
    awake_.insert(session.number());
    if (!host_.watch_edge(session.doorbell().get(), kShmBellBit | session.number())) {
      session.end("the kernel does not watch one more doorbell");
    }
  }
}

void ShmHub::pump(base::TimePoint now) {
  settle(now);
  const std::vector<std::uint64_t> awake(awake_.begin(), awake_.end());
  for (const std::uint64_t number : awake) {
    if (ShmSession* session = find_session(number)) static_cast<void>(session->pump());
  }
  if (now - swept_ >= kSweepInterval) {
    swept_ = now;
    for (auto& [number, session] : sessions_) {
      if (session->sweep()) awake_.insert(number);
    }
  }
  settle(now);
}

/// Draws the conclusions of what has happened to sessions.
void ShmHub::settle(base::TimePoint now) {
  while (!changed_.empty()) {
    for (const std::uint64_t number : std::exchange(changed_, {})) {
      ShmSession* session = find_session(number);
      if (!session) continue;
      shaking_.erase(number);
      if (session->state() == ShmSession::State::kOpen) {
        if (session->outgoing()) link_opened(*session, now);
        continue;
      }
      if (session->outgoing()) {
        link_ended(*session, now);
      } else if (!session->peer_left()) {
        log_once("", session->reason());
      }
      awake_.erase(number);
      sessions_.erase(number);
    }
  }
  for (auto& [number, until] : shaking_) {
    if (until == base::TimePoint::min()) until = now + kHandshakeMax;
    if (until <= now) sessions_.at(number)->end("a peer did not say hello");
  }
}

void ShmHub::link_opened(ShmSession& session, base::TimePoint now) {
  const auto found = links_.find(session.link());
  if (found == links_.end() || found->second.session != session.number()) return;
  Link& link = found->second;
  if (link.state != Link::State::kShaking) return;
  link.state = Link::State::kOpen;
  link.asked_once_more = false;
  link.opened = now;
  link.act_at = base::kForever;
  for (Outgoing& message : std::exchange(link.waiting, {})) session.send(std::move(message));
}

void ShmHub::link_ended(ShmSession& session, base::TimePoint now) {
  const auto found = links_.find(session.link());
  if (found == links_.end() || found->second.session != session.number()) return;
  Link& link = found->second;
  const bool was_open = link.state == Link::State::kOpen;
  std::deque<Outgoing> unsent = session.take_waiting();
  std::ranges::move(link.waiting, std::back_inserter(unsent));
  link.waiting = std::move(unsent);
  link.session = 0;
  if (!was_open && session.peer_left() && ask_once_more(link, now)) return;
  if (!was_open || !session.peer_left()) {
    leave_to_network(session.link(), session.reason());
    return;
  }
  // The peer is gone, or closed for reasons of its own: ask whoever is at the address now.
  if (now - link.opened > kRetryMax) link.retry_pause = kRetryMin;
  link.state = Link::State::kAsking;
  link.act_at = now + link.retry_pause;
  link.retry_pause = std::min(link.retry_pause * 2, kRetryMax);
  link.ask_pause = kAskAgainMin;
}

void ShmHub::leave_to_network(LinkId id, const std::string& reason) {
  const auto found = links_.find(id);
  Link& link = found->second;
  if (options_.shared_memory == SharedMemoryUse::kRequired) {
    link.state = Link::State::kFailed;
    link.act_at = base::kForever;
    link.error = Error(ErrorCode::kFailedPrecondition,
                       base::str_cat("No shared memory with ", link.address, ": ", reason),
                       "Use DTRAIN_TRANSPORT=auto or tcp for peers that cannot share memory");
    logger_.error(link.error->what());
    link.waiting.clear();
    return;
  }
  log_once(link.address, reason);
  std::deque<Outgoing> waiting = std::move(link.waiting);
  links_.erase(found);
  for (Outgoing& message : waiting) host_.send_on_network(id, std::move(message));
}

void ShmHub::act(LinkId id, Link& link, base::TimePoint now) {
  if (link.state == Link::State::kShaking) {
    if (ShmSession* session = find_session(link.session)) {
      session->end("the peer did not answer the hand-over");
    }
    link.act_at = base::kForever;
    return;
  }
  // Until the last question has left, one more would only wait behind it.
  if (link.questions->messages.load(std::memory_order_relaxed) == 0) {
    host_.send_note(id, {ShmNote::Kind::kAsk, ""}, std::make_shared<Ticket>(link.questions));
  }
  link.act_at = now + link.ask_pause;
  link.ask_pause = std::min(link.ask_pause * 2, kAskAgainMax);
}

void ShmHub::collect_returns() {
  for (const LeaseDesk::Returned& returned : context_.desk->take()) {
    ShmSession* session = find_session(returned.session);
    if (!session) continue;
    session->return_lease(returned.lease);
    awake_.insert(returned.session);
  }
}

void ShmHub::end_round() {
  collect_returns();
  for (const std::uint64_t number : awake_) {
    if (ShmSession* session = find_session(number)) session->flush();
  }
  // Flushing may have let go of what was received.
  collect_returns();
}

bool ShmHub::has_news() const {
  return !changed_.empty() || std::ranges::any_of(awake_, [&](std::uint64_t number) {
    const auto found = sessions_.find(number);
    return found != sessions_.end() && found->second->has_news();
  });
}

base::TimePoint ShmHub::prepare_wait(base::TimePoint now) {
  collect_returns();
  awake_.merge(blocked_);
  blocked_.clear();
  base::TimePoint next = base::kForever;
  for (auto& [id, link] : links_) {
    if (link.act_at <= now) act(id, link, now);
    next = std::min(next, link.act_at);
  }
  for (const auto& [number, until] : shaking_) next = std::min(next, until);
  std::erase_if(awake_, [&](std::uint64_t number) {
    ShmSession* session = find_session(number);
    if (!session) return true;
    session->flush();
    if (!session->try_sleep()) return false;
    if (session->blocked()) {
      blocked_.insert(number);
      next = std::min(next, now + kBlockedPause);
    }
    return true;
  });
  // Flushing may have let go of what was received.
  collect_returns();
  if (!awake_.empty() || !changed_.empty()) return base::TimePoint::min();
  return next;
}

void ShmHub::finish(base::Duration linger) {
  for (auto next = links_.begin(); next != links_.end();) {
    const auto link = next++;
    const bool unsettled =
        link->second.state == Link::State::kAsking || link->second.state == Link::State::kShaking;
    if (unsettled && options_.shared_memory != SharedMemoryUse::kRequired) {
      std::deque<Outgoing> waiting = std::move(link->second.waiting);
      for (Outgoing& message : waiting) host_.send_on_network(link->first, std::move(message));
    }
  }
  const auto until = std::chrono::steady_clock::now() + linger;
  const auto drained = [&] {
    bool all = true;
    for (auto& [number, session] : sessions_) {
      session->on_socket();
      session->flush();
      all = session->drained() && all;
    }
    return all;
  };
  while (!drained() && std::chrono::steady_clock::now() < until) poll(nullptr, 0, 1);
  links_.clear();
  for (auto& [number, session] : sessions_) session->end("the endpoint is closed");
  context_.desk->close();
  sessions_.clear();
}

}  // namespace dtrain::inline v0::transport
