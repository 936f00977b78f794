#include "bench/limits_zmq.h"

#include <unistd.h>
#include <zmq.h>

#include <atomic>
#include <cerrno>
#include <string>

#include "base/strings.h"
#include "bench/child.h"
#include "bench/limits.h"
#include "bench/statistics.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::bench {
namespace {

constexpr int kDeadlineMs = 10'000;

struct Order {
  std::size_t count = 0;
  std::size_t there = 0;
  std::size_t back = 0;
};

[[noreturn]] void fail_zmq(const char* call) {
  const bool is_late = zmq_errno() == EAGAIN;
  throw Error(is_late ? ErrorCode::kDeadlineExceeded : ErrorCode::kUnavailable,
              base::str_cat("ZeroMQ's ping: ", call, ": ",
                            is_late ? "nothing moved for 10 s" : zmq_strerror(zmq_errno())),
              "Look whether the other process was stopped or killed");
}

// A context with one socket.
class PairSocket {
 public:
  PairSocket() : context_(zmq_ctx_new()), socket_(zmq_socket(context_, ZMQ_PAIR)) {
    if (socket_ == nullptr) fail_zmq("zmq_socket");
    const int limit = kDeadlineMs;
    const int linger = 0;
    zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &limit, sizeof(limit));
    zmq_setsockopt(socket_, ZMQ_SNDTIMEO, &limit, sizeof(limit));
    zmq_setsockopt(socket_, ZMQ_LINGER, &linger, sizeof(linger));
  }
  ~PairSocket() {
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  PairSocket(const PairSocket&) = delete;
  PairSocket& operator=(const PairSocket&) = delete;

  std::string bind(const std::string& address) {
    if (zmq_bind(socket_, address.c_str()) != 0) fail_zmq("zmq_bind");
    char bound[256];
    std::size_t size = sizeof(bound);
    if (zmq_getsockopt(socket_, ZMQ_LAST_ENDPOINT, bound, &size) != 0) fail_zmq("zmq_getsockopt");
    return bound;
  }
  void connect(const std::string& address) {
    if (zmq_connect(socket_, address.c_str()) != 0) fail_zmq("zmq_connect");
  }
  void send(const std::vector<char>& message) {
    while (zmq_send(socket_, message.data(), message.size(), 0) < 0) {
      if (zmq_errno() != EINTR) fail_zmq("zmq_send");
    }
  }
  void receive(std::vector<char>& message) {
    for (;;) {
      const int size = zmq_recv(socket_, message.data(), message.size(), 0);
      if (size == static_cast<int>(message.size())) return;
      if (size >= 0) {
        throw Error(ErrorCode::kProtocol,
                    base::str_cat("ZeroMQ's ping has ", size, " bytes, not ", message.size()));
      }
      if (zmq_errno() != EINTR) fail_zmq("zmq_recv");
    }
  }

 private:
  void* const context_;
  void* const socket_;
};

// An abstract name for ipc: there is no file to be left behind.
std::string listen_address(ZmqTransport transport) {
  static std::atomic<int> count = 0;
  if (transport == ZmqTransport::kTcp) return "tcp://127.0.0.1:*";
  return base::str_cat("ipc://@dtrain-bench-", getpid(), "-", ++count);
}

}  // namespace

struct ZmqPingLimit::Wire {
  explicit Wire(ZmqTransport transport)
      : address(socket.bind(listen_address(transport))),
        child({.role = "zmq-ping", .arguments = {address}}) {}

  PairSocket socket;
  const std::string address;
  Child child;
};

ZmqPingLimit::ZmqPingLimit(ZmqTransport transport) : wire_(std::make_unique<Wire>(transport)) {}
ZmqPingLimit::~ZmqPingLimit() = default;

std::vector<double> ZmqPingLimit::sample(std::size_t count, std::size_t there, std::size_t back) {
  wire_->child.channel().send_value(Order{count, there, back});
  wire_->child.channel().receive();  // it has begun to wait
  const std::vector<char> ping(there, 'x');
  std::vector<char> pong(back);
  std::vector<double> seconds;
  seconds.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Stopwatch watch;
    wire_->socket.send(ping);
    wire_->socket.receive(pong);
    seconds.push_back(watch.seconds());
  }
  return seconds;
}

void run_zmq_ping_child(ChildSide& side) {
  PairSocket socket;
  socket.connect(side.arguments.at(0));
  while (const auto order = side.parent.receive_value_or_end<Order>()) {
    std::vector<char> ping(order->there);
    const std::vector<char> pong(order->back, 'y');
    side.parent.send("ready");
    for (std::size_t i = 0; i < order->count; ++i) {
      socket.receive(ping);
      socket.send(pong);
    }
  }
}

}  // namespace dtrain::inline v0::bench
