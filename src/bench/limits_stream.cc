#include "bench/limits_stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <string>
#include <thread>

#include "base/strings.h"
#include "bench/limits.h"
#include "bench/statistics.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::bench {
namespace {

struct Order {
  bool both = false;
  std::size_t bytes = 0;
  std::size_t chunk = 0;
};

// Of a single read or write that moves nothing.
constexpr int kDeadlineS = 10;

[[noreturn]] void fail_socket(const char* call) {
  const int error = errno;
  const bool is_late = error == EAGAIN || error == EWOULDBLOCK;
  throw Error(is_late ? ErrorCode::kDeadlineExceeded : ErrorCode::kUnavailable,
              base::str_cat("The stream between two processes: ", call, ": ",
                            is_late ? "nothing moved for 10 s" : std::strerror(error)),
              "Look whether the other process was stopped or killed");
}

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {
    if (fd < 0) fail_socket("socket");
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

void prepare(int fd) {
  const int on = 1;  // refused by Unix sockets, which send at once anyway
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const timeval limit{kDeadlineS, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

void write_all(int fd, const char* data, std::size_t bytes, std::size_t chunk) {
  while (bytes > 0) {
    const ssize_t count = send(fd, data, std::min(bytes, chunk), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_socket("send");
    data += count;
    bytes -= static_cast<std::size_t>(count);
  }
}

void read_all(int fd, char* data, std::size_t bytes, std::size_t chunk) {
  while (bytes > 0) {
    const ssize_t count = recv(fd, data, std::min(bytes, chunk), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = ECONNRESET;
    if (count <= 0) fail_socket("recv");
    data += count;
    bytes -= static_cast<std::size_t>(count);
  }
}

// Both directions at once; a thread for the one that goes out.
void exchange(int fd, const Order& order, const char* source, char* target) {
  std::exception_ptr failure;
  std::thread writer([&] {
    try {
      write_all(fd, source, order.bytes, order.chunk);
    } catch (...) {
      failure = std::current_exception();
    }
  });
  try {
    read_all(fd, target, order.bytes, order.chunk);
  } catch (...) {
    shutdown(fd, SHUT_RDWR);
    writer.join();
    throw;
  }
  writer.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

struct StreamLimit::Connection {
  std::unique_ptr<Socket> parent;
  std::unique_ptr<Socket> child;

  explicit Connection(StreamKind kind) {
    if (kind == StreamKind::kTcp) {
      open_tcp();
    } else {
      open_unix();
    }
    prepare(parent->fd());
    prepare(child->fd());
  }

  void open_tcp() {
    const Socket listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    parent = std::make_unique<Socket>(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    prepare(listener.fd());
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener.fd(), any, size) != 0) fail_socket("bind");
    if (getsockname(listener.fd(), any, &size) != 0) fail_socket("getsockname");
    if (listen(listener.fd(), 1) != 0) fail_socket("listen");
    if (connect(parent->fd(), any, size) != 0) fail_socket("connect");
    child = std::make_unique<Socket>(accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  }

  void open_unix() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail_socket("socketpair");
    parent = std::make_unique<Socket>(ends[0]);
    child = std::make_unique<Socket>(ends[1]);
  }
};

StreamLimit::StreamLimit(StreamKind kind, std::size_t bytes_max)
    : source_(bytes_max, 'x'),
      target_(bytes_max, 'y'),
      connection_(std::make_unique<Connection>(kind)) {
  child_ = std::make_unique<Child>(ChildOptions{.role = "stream",
                                                .arguments = {std::to_string(bytes_max)},
                                                .descriptors = {connection_->child->fd()}});
  connection_->child.reset();  // the child's end is now the child's alone, and closes with it
}

StreamLimit::~StreamLimit() = default;

double StreamLimit::one_way(std::size_t bytes, std::size_t chunk) {
  return sample(false, bytes, chunk);
}

double StreamLimit::full_duplex(std::size_t bytes, std::size_t chunk) {
  return sample(true, bytes, chunk);
}

double StreamLimit::sample(bool both, std::size_t bytes, std::size_t chunk) {
  if (bytes == 0 || bytes > source_.size() || chunk == 0) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("A stream for ", source_.size(), " bytes was asked for ", bytes,
                              " in chunks of ", chunk),
                "Ask for no more than it was made for");
  }
  const Order order{both, bytes, chunk};
  const int fd = connection_->parent->fd();
  child_->channel().send_value(order);
  child_->channel().receive();  // it has begun to read
  const Stopwatch watch;
  if (both) {
    exchange(fd, order, source_.data(), target_.data());
  } else {
    write_all(fd, source_.data(), bytes, chunk);
  }
  char last = 0;
  read_all(fd, &last, 1, 1);
  return watch.seconds();
}

void run_stream_child(ChildSide& side) {
  std::vector<char> target(std::stoull(side.arguments.at(0)), 'y');
  const std::vector<char> source(target.size(), 'x');
  const int fd = side.descriptors.at(0);
  while (const auto order = side.parent.receive_value_or_end<Order>()) {
    side.parent.send("ready");
    if (order->both) {
      exchange(fd, *order, source.data(), target.data());
    } else {
      read_all(fd, target.data(), order->bytes, order->chunk);
    }
    write_all(fd, "!", 1, 1);
  }
}

}  // namespace dtrain::inline v0::bench
