#include "transport/zmq_link.h"

#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/strings.h"
#include "wire/header.h"

namespace dtrain::inline v0::transport {
namespace {

using std::chrono::milliseconds;

// The pause between attempts: short, because pods of a job start within seconds of each other,
// and bounded, because a restarted peer should be found soon.
constexpr milliseconds kPauseMin{50};
constexpr milliseconds kPauseMax{1000};
/// A host that swallows packets is given up on before the kernel would (minutes).
constexpr int kConnectTimeoutMs = 3000;
constexpr int kHandshakeTimeoutMs = 10000;
/// Unacknowledged for so long, a connection is dead: the peer may have moved. ZMTP heartbeats
/// would cut peers that are merely busy, because libzmq stops reading pings at the receive limit.
constexpr int kTcpTimeoutMs = 20000;
/// Messages that libzmq buffers per peer before the network pushes back.
constexpr int kReceiveQueueMessages = 16;
/// What the kernel takes of a connection that has not left (it doubles the number). Left to itself
/// it takes up to 4 MiB, and a fast stream then passes through memory instead of the cache. Enough
/// for 1 GB/s to a peer 1 ms away.
constexpr int kSendBufferBytes = 1'000'000;
constexpr int kBacklog = 1024;

void set_option(void* socket, int option, int value) {
  if (zmq_setsockopt(socket, option, &value, sizeof(value)) != 0) {
    throw Error(ErrorCode::kInternal, base::str_cat("libzmq refused option ", option, " = ", value,
                                                    ": ", zmq_strerror(errno)));
  }
}

/// The most that a socket may ask for; 0 where that cannot be read. Less than what is wanted would
/// be less than the kernel takes by itself.
int send_buffer_bytes_max() {
  int bytes = 0;
  std::ifstream("/proc/sys/net/core/wmem_max") >> bytes;
  return bytes;
}

Error no_socket(const std::string& address) {
  return Error(ErrorCode::kResourceExhausted,
               base::str_cat("No socket for a link to ", address, ": ", zmq_strerror(errno)),
               "Raise the limit of open files (ulimit -n)");
}

Address with_host(Address address, std::string host) {
  address.host = std::move(host);
  return address;
}

}  // namespace

void configure_socket(void* socket, const EndpointLimits& limits) {
  set_option(socket, ZMQ_LINGER, 0);
  set_option(socket, ZMQ_SNDHWM, 0);
  set_option(socket, ZMQ_RCVHWM, kReceiveQueueMessages);
  if (send_buffer_bytes_max() >= kSendBufferBytes) {
    set_option(socket, ZMQ_SNDBUF, kSendBufferBytes);
  }
  set_option(socket, ZMQ_BACKLOG, kBacklog);
  set_option(socket, ZMQ_RECONNECT_IVL, static_cast<int>(kPauseMin.count()));
  set_option(socket, ZMQ_RECONNECT_IVL_MAX, static_cast<int>(kPauseMax.count()));
  set_option(socket, ZMQ_CONNECT_TIMEOUT, kConnectTimeoutMs);
  set_option(socket, ZMQ_HANDSHAKE_IVL, kHandshakeTimeoutMs);
  set_option(socket, ZMQ_TCP_KEEPALIVE, 1);
  set_option(socket, ZMQ_TCP_KEEPALIVE_IDLE, 10);
  set_option(socket, ZMQ_TCP_KEEPALIVE_INTVL, 5);
  set_option(socket, ZMQ_TCP_KEEPALIVE_CNT, 3);
  set_option(socket, ZMQ_TCP_MAXRT, kTcpTimeoutMs);
  const auto frame_max = static_cast<std::int64_t>(
      std::max(limits.frame_bytes_max, limits.body_bytes_max + wire::kHeaderBytes));
  if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof(frame_max)) != 0) {
    throw Error(ErrorCode::kInternal, "libzmq refused ZMQ_MAXMSGSIZE");
  }
}

void set_family(void* socket, const Address& address) {
  set_option(socket, ZMQ_IPV6, address.host.find(':') != std::string::npos ? 1 : 0);
}

ZmqLink::ZmqLink(void* context, LinkId id, Address address, const EndpointLimits& limits)
    : id_(id), address_(std::move(address)), lookup_pause_(kPauseMin) {
  try {
    socket_ = new_socket(context, ZMQ_DEALER);
    configure_socket(socket_, limits);
    if (address_.scheme == Scheme::kIpc || address_.numeric()) {
      candidates_ = {address_.host};
      try_candidate();
      state_ = State::kConnected;  // libzmq queues and reconnects by itself.
      return;
    }
    const std::string monitor_address = base::str_cat("inproc://monitor-", id);
    if (zmq_socket_monitor(socket_, monitor_address.c_str(),
                           ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED) != 0) {
      throw no_socket(this->address());
    }
    monitor_ = new_socket(context, ZMQ_PAIR);
    set_option(monitor_, ZMQ_LINGER, 0);
    zmq_connect(monitor_, monitor_address.c_str());
  } catch (...) {
    close(base::Duration::zero());
    throw;
  }
  state_ = State::kLookingUp;
  lookup_at_ = base::TimePoint::min();
}

void* ZmqLink::new_socket(void* context, int type) const {
  void* socket = zmq_socket(context, type);
  if (socket == nullptr) throw no_socket(address());
  return socket;
}

base::Status ZmqLink::send(Outgoing message) {
  if (state_ == State::kConnected) return send_on(socket_, {}, std::move(message));
  waiting_.push_back(std::move(message));
  return {};
}

void ZmqLink::on_resolved(std::vector<std::string> hosts, base::TimePoint now) {
  if (socket_ == nullptr) return;
  if (hosts.empty()) {
    look_up_later(now);
    return;
  }
  if (state_ != State::kLookingUp) {
    // The peer may only be restarting: as long as its address stands, keep what libzmq holds.
    if (std::find(hosts.begin(), hosts.end(), candidates_[candidate_]) != hosts.end()) {
      look_up_later(now);
      return;
    }
    leave_candidate();
  }
  candidates_ = std::move(hosts);
  candidate_ = 0;
  try_candidate();
}

void ZmqLink::try_candidate() {
  state_ = State::kConnecting;
  const Address candidate = with_host(address_, candidates_[candidate_]);
  connected_to_ = to_string(candidate);
  set_family(socket_, candidate);
  // Numbers and abstract names that parse_address has checked: connecting happens later, behind
  // it, and a failure shows as a retry.
  zmq_connect(socket_, connected_to_.c_str());
}

void ZmqLink::leave_candidate() {
  zmq_disconnect(socket_, connected_to_.c_str());
  state_ = State::kLookingUp;
}

void ZmqLink::look_up_later(base::TimePoint now) {
  lookup_at_ = now + lookup_pause_;
  lookup_pause_ = std::min<base::Duration>(lookup_pause_ * 2, kPauseMax);
}

void ZmqLink::on_connected() {
  state_ = State::kConnected;
  lookup_at_ = base::kForever;
  lookup_pause_ = kPauseMin;
  while (!waiting_.empty()) {
    Outgoing message = std::move(waiting_.front());
    waiting_.pop_front();
    static_cast<void>(send_on(socket_, {}, std::move(message)));
  }
}

void ZmqLink::on_failed(base::TimePoint now) {
  if (state_ == State::kConnected) {
    // A connection that was there broke and did not come back at once.
    if (lookup_at_ == base::kForever) look_up_later(now);
  } else if (state_ == State::kConnecting) {
    leave_candidate();
    if (++candidate_ < candidates_.size()) {
      try_candidate();
    } else {
      look_up_later(now);
    }
  }
}

void ZmqLink::on_monitor(base::TimePoint now) {
  while (monitor_ != nullptr) {
    ZmqPart event;
    ZmqPart where;
    if (zmq_msg_recv(event.get(), monitor_, ZMQ_DONTWAIT) < 0) return;
    if (!event.more() || zmq_msg_recv(where.get(), monitor_, ZMQ_DONTWAIT) < 0) return;
    std::uint16_t kind = 0;
    if (event.bytes().size() >= sizeof(kind))
      std::memcpy(&kind, event.bytes().data(), sizeof(kind));
    // Events of a candidate that was left meanwhile say nothing about this one.
    const std::span<const std::byte> text = where.bytes();
    const std::string_view endpoint(reinterpret_cast<const char*>(text.data()), text.size());
    if (endpoint != connected_to_) continue;
    if (kind == ZMQ_EVENT_CONNECTED) on_connected();
    if (kind == ZMQ_EVENT_CONNECT_RETRIED) on_failed(now);
  }
}

void ZmqLink::close(base::Duration linger) {
  if (monitor_ != nullptr) {
    zmq_socket_monitor(socket_, nullptr, 0);
    zmq_close(monitor_);
    monitor_ = nullptr;
  }
  if (socket_ != nullptr) {
    const auto ms = std::chrono::duration_cast<milliseconds>(linger).count();
    set_option(socket_, ZMQ_LINGER, static_cast<int>(ms));
    zmq_close(socket_);
    socket_ = nullptr;
  }
  waiting_.clear();
  lookup_at_ = base::kForever;
}

}  // namespace dtrain::inline v0::transport
