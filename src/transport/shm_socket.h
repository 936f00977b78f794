#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace dtrain::inline v0::transport {

/// A file descriptor that is closed with its owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release();
  void reset();

 private:
  int fd_ = -1;
};

/// A listening Unix socket under an abstract name of its own, which leaves no file and is known in
/// this network namespace only.
struct ShmListener {
  Fd socket;
  std::string name;
};
base::Result<ShmListener> listen_abstract();
/// Whether `name` could be a ShmListener's.
bool is_listener_name(std::string_view name);
/// Never waits. An unavailable error when nobody of that name is here.
base::Result<Fd> connect_abstract(std::string_view name);
/// Nothing while nobody waits.
std::optional<Fd> accept_one(const Fd& listener);

/// The user id of the process at the other end, as this user namespace knows it.
std::optional<uid_t> peer_user(const Fd& socket);

/// One packet: some bytes and descriptors.
constexpr std::size_t kPacketBytesMax = 1024;
constexpr std::size_t kPacketFdsMax = 2;
struct Packet {
  std::string bytes;
  std::vector<Fd> fds;
};

enum class PacketStatus { kDone, kWouldWait, kClosed, kTruncated };
PacketStatus send_packet(const Fd& socket, std::string_view bytes, std::span<const int> fds);
/// kTruncated for what is longer than packets are, or has descriptors that could not be taken.
PacketStatus receive_packet(const Fd& socket, Packet& packet);

/// A doorbell: a counter that epoll reports each time somebody adds to it.
Fd make_doorbell();
/// Whether a received descriptor is one, as far as this system can tell. (Writing to something
/// else could wait.)
bool is_doorbell(const Fd& fd);
void ring(const Fd& doorbell);

}  // namespace dtrain::inline v0::transport
