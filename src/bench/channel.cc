#include "bench/channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::bench {
namespace {

// Whether `events` came before the deadline.
bool wait_for(int fd, short events, base::TimePoint deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd polled{fd, events, 0};
    const int ready = poll(&polled, 1, static_cast<int>(std::max<long>(left.count(), 0)));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return true;  // the call that follows says what is wrong
  }
}

[[noreturn]] void fail_ended(const std::string& peer) {
  throw Error(ErrorCode::kUnavailable, base::str_cat(peer, " has ended"),
              "What it wrote to standard error says why");
}

}  // namespace

Channel::Channel(int fd, std::string peer) : fd_(fd), peer_(std::move(peer)) {}
Channel::~Channel() { close(fd_); }

void Channel::send(std::string_view message) {
  if (message.empty() || message.size() > kChannelMessageBytesMax) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("A message of ", message.size(), " bytes to ", peer_),
                base::str_cat("Send 1 to ", kChannelMessageBytesMax, " bytes"));
  }
  const base::TimePoint deadline = std::chrono::steady_clock::now() + kChannelDeadline;
  for (;;) {
    if (::send(fd_, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) fail_ended(peer_);
    if (!wait_for(fd_, POLLOUT, deadline)) {
      throw Error(
          ErrorCode::kDeadlineExceeded,
          base::str_cat(peer_, " has read nothing for ", base::seconds(kChannelDeadline), " s"),
          "It is stopped, or its machine overloaded");
    }
  }
}

std::string Channel::receive(base::Duration limit) {
  if (!wait_for(fd_, POLLIN, std::chrono::steady_clock::now() + limit)) {
    throw Error(ErrorCode::kDeadlineExceeded,
                base::str_cat(peer_, " has not answered for ", base::seconds(limit), " s"),
                "It is stopped, or its machine overloaded");
  }
  std::optional<std::string> message = receive_or_end();
  if (!message) fail_ended(peer_);
  return std::move(*message);
}

std::optional<std::string> Channel::receive_or_end() {
  std::string message(kChannelMessageBytesMax, '\0');
  ssize_t count = 0;
  do {
    count = recv(fd_, message.data(), message.size(), 0);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return std::nullopt;
  message.resize(static_cast<std::size_t>(count));
  return message;
}

void Channel::fail_size(std::size_t got, std::size_t expected) const {
  throw Error(ErrorCode::kProtocol,
              base::str_cat(peer_, " sent ", got, " bytes where ", expected, " were expected"),
              "Parent and child must be the same program");
}

}  // namespace dtrain::inline v0::bench
