#include "transport/shm_socket.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include "base/strings.h"

namespace dtrain::inline v0::transport {
namespace {

constexpr std::string_view kNamePrefix = "dtrain-shm-";
constexpr std::size_t kNameDigits = 32;
constexpr int kBacklog = 256;

Error refused(const char* call) {
  return Error(ErrorCode::kUnavailable, base::str_cat(call, ": ", std::strerror(errno)));
}

/// Fills in an abstract address (a zero, then the name); its size.
socklen_t abstract_address(std::string_view name, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  const std::size_t size = std::min(name.size(), sizeof(address.sun_path) - 1);
  std::memcpy(address.sun_path + 1, name.data(), size);
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size);
}

Fd new_socket() { return Fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

union ControlBuffer {
  cmsghdr align;
  std::array<char, CMSG_SPACE(kPacketFdsMax * sizeof(int))> bytes;
};

void take_fds(const msghdr& message, std::vector<Fd>& fds) {
  // CMSG_NXTHDR wants to write through its first argument in no implementation, but its type says.
  auto* header = const_cast<msghdr*>(&message);
  for (cmsghdr* control = CMSG_FIRSTHDR(header); control != nullptr;
       control = CMSG_NXTHDR(header, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int Fd::release() { return std::exchange(fd_, -1); }

void Fd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

base::Result<ShmListener> listen_abstract() {
  std::random_device device;
  ShmListener listener;
  listener.name = kNamePrefix;
  while (listener.name.size() < kNamePrefix.size() + kNameDigits) {
    listener.name += "0123456789abcdef"[device() % 16];
  }
  listener.socket = new_socket();
  if (!listener.socket) return refused("socket");
  sockaddr_un address;
  const socklen_t size = abstract_address(listener.name, address);
  if (bind(listener.socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) {
    return refused("bind");
  }
  if (listen(listener.socket.get(), kBacklog) != 0) return refused("listen");
  return listener;
}

bool is_listener_name(std::string_view name) {
  return name.size() == kNamePrefix.size() + kNameDigits && name.starts_with(kNamePrefix) &&
         name.find_first_not_of("0123456789abcdef", kNamePrefix.size()) == std::string_view::npos;
}

base::Result<Fd> connect_abstract(std::string_view name) {
  Fd socket = new_socket();
  if (!socket) return refused("socket");
  sockaddr_un address;
  const socklen_t size = abstract_address(name, address);
  int result;
  do {
    result = connect(socket.get(), reinterpret_cast<sockaddr*>(&address), size);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return socket;
  if (errno == ECONNREFUSED) {
    return Error(ErrorCode::kUnavailable, "it is on another host or in another network namespace");
  }
  return refused("connect");
}

std::optional<Fd> accept_one(const Fd& listener) {
  Fd socket(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return {};
  return socket;
}

std::optional<uid_t> peer_user(const Fd& socket) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {};
  return credentials.uid;
}

PacketStatus send_packet(const Fd& socket, std::string_view bytes, std::span<const int> fds) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ControlBuffer control{};
  if (!fds.empty()) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return PacketStatus::kDone;
  // ETOOMANYREFS: too many descriptors are under way; the peer takes them out in time.
  const bool full = errno == EAGAIN || errno == EWOULDBLOCK || errno == ETOOMANYREFS;
  return full ? PacketStatus::kWouldWait : PacketStatus::kClosed;
}

PacketStatus receive_packet(const Fd& socket, Packet& packet) {
  std::array<char, kPacketBytesMax> bytes;
  iovec part{bytes.data(), bytes.size()};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  ssize_t got;
  do {
    got = recvmsg(socket.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    // ECONNRESET: the peer has closed without reading all. What it sent before can still be read.
  } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return PacketStatus::kWouldWait;
  packet.fds.clear();
  take_fds(message, packet.fds);
  if (got <= 0) return PacketStatus::kClosed;
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return PacketStatus::kTruncated;
  packet.bytes.assign(bytes.data(), static_cast<std::size_t>(got));
  return PacketStatus::kDone;
}

Fd make_doorbell() { return Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

bool is_doorbell(const Fd& fd) {
  const std::string link = base::str_cat("/proc/self/fd/", fd.get());
  std::array<char, 64> target{};
  const ssize_t size = readlink(link.c_str(), target.data(), target.size());
  if (size < 0) return access("/proc/self/fd", F_OK) != 0;
  if (std::string_view(target.data(), static_cast<std::size_t>(size)) != "anon_inode:[eventfd]") {
    return false;
  }
  // Ringing must never wait, whatever the peer's counter says.
  return fcntl(fd.get(), F_SETFL, O_NONBLOCK) == 0;
}

void ring(const Fd& doorbell) {
  const std::uint64_t one = 1;
  // It can only fail when the counter is full, and then the peer has been rung for.
  static_cast<void>(!write(doorbell.get(), &one, sizeof(one)));
}

}  // namespace dtrain::inline v0::transport
