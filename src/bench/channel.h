#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/clock.h"

namespace dtrain::inline v0::bench {

/// The most bytes of one message.
constexpr std::size_t kChannelMessageBytesMax = 128 << 10;

/// How long a process waits for the other one's message, unless told otherwise.
constexpr base::Duration kChannelDeadline = std::chrono::seconds(20);

/// One end of what connects a process and its child: messages that arrive whole and in order.
/// Thread-compatible.
class Channel {
 public:
  /// Takes the descriptor of a connected SOCK_SEQPACKET socket. `peer` is for messages.
  Channel(int fd, std::string peer);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Throws unavailable when the other process has ended, deadline_exceeded when it does not read.
  void send(std::string_view message);
  /// Throws unavailable when the other process has ended, deadline_exceeded after `limit`.
  std::string receive(base::Duration limit = kChannelDeadline);
  /// Waits as long as the other process lives; nothing when it has ended.
  std::optional<std::string> receive_or_end();

  /// A value as its bytes; both ends are the same program.
  template <typename T>
  void send_value(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    send({reinterpret_cast<const char*>(&value), sizeof(T)});
  }
  template <typename T>
  T receive_value(base::Duration limit = kChannelDeadline) {
    return value_of<T>(receive(limit));
  }
  template <typename T>
  std::optional<T> receive_value_or_end() {
    const std::optional<std::string> message = receive_or_end();
    if (!message) return std::nullopt;
    return value_of<T>(*message);
  }

  const std::string& peer() const { return peer_; }

 private:
  template <typename T>
  T value_of(const std::string& message) const {
    static_assert(std::is_trivially_copyable_v<T>);
    if (message.size() != sizeof(T)) fail_size(message.size(), sizeof(T));
    T value;
    std::memcpy(&value, message.data(), sizeof(T));
    return value;
  }
  [[noreturn]] void fail_size(std::size_t got, std::size_t expected) const;

  const int fd_;
  const std::string peer_;
};

}  // namespace dtrain::inline v0::bench
