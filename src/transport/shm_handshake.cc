// ShmSession's beginning: what the two sides exchange over their socket.
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>

#include "base/strings.h"
#include "transport/shm_session.h"

namespace dtrain::inline v0::transport {
namespace {

constexpr std::uint32_t kMagic = 0x4D535444;  // "DTSM"
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kSegmentsMax = 4096;
constexpr std::size_t kReasonBytesMax = 500;

enum class PacketKind : std::uint16_t { kHello = 1, kRefusal = 2, kSegment = 3 };

/// In front of each packet.
struct Prefix {
  std::uint32_t magic = kMagic;
  std::uint16_t version = kVersion;
  PacketKind kind = PacketKind::kHello;
};
struct Hello {
  Prefix prefix;
  std::uint64_t job = 0;
  std::uint64_t incarnation = 0;
};
struct Segment {
  Prefix prefix{.kind = PacketKind::kSegment};
  std::uint64_t id = 0;
};
static_assert(sizeof(Prefix) == 8 && sizeof(Hello) == 24 && sizeof(Segment) == 16);

template <typename Layout>
std::string bytes_of(const Layout& layout) {
  return {reinterpret_cast<const char*>(&layout), sizeof(layout)};
}

template <typename Layout>
bool read(const std::string& bytes, Layout& layout) {
  if (bytes.size() < sizeof(layout)) return false;
  std::memcpy(&layout, bytes.data(), sizeof(layout));
  return true;
}

/// For a log: what a stranger sent must not break its lines.
std::string printable(std::string text) {
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text.substr(0, kReasonBytesMax);
}

}  // namespace

void ShmSession::start() {
  if (state_ != State::kShaking) return;
  const std::optional<uid_t> user = peer_user(socket_);
  if (!user || *user != geteuid()) {
    refuse(base::str_cat("one process runs as user ", user ? std::to_string(*user) : "(unknown)",
                         ", the other as user ", geteuid()));
    return;
  }
  if (outgoing_ && make_own_side()) send_hello();
}

bool ShmSession::make_own_side() {
  auto outbox = base::SharedMemory::create(kShmOutboxBytes);
  if (!outbox.ok()) {
    refuse(reason_of(outbox.error()));
    return false;
  }
  outbox_ = std::move(outbox.value());
  doorbell_ = make_doorbell();
  if (!doorbell_) refuse("no file descriptor is left");
  return state_ == State::kShaking;
}

bool ShmSession::send_hello() {
  Hello hello;
  hello.job = context_.options.job;
  hello.incarnation = context_.options.incarnation;
  const std::array fds{outbox_->fd(), doorbell_.get()};
  if (send_packet(socket_, bytes_of(hello), fds) == PacketStatus::kDone) return true;
  end("the peer has closed the connection");
  return false;
}

void ShmSession::refuse(const std::string& why) {
  const Prefix prefix{.kind = PacketKind::kRefusal};
  static_cast<void>(send_packet(socket_, bytes_of(prefix) + why.substr(0, kReasonBytesMax), {}));
  // What was written and not read must not overtake what goes over the network from now on.
  if (state_ == State::kOpen) ring_->abandon();
  end(why);
}

void ShmSession::on_packet(Packet packet) {
  Prefix prefix;
  if (!read(packet.bytes, prefix) || prefix.magic != kMagic) {
    end("the peer does not speak dtrain's protocol");
  } else if (prefix.version != kVersion) {
    refuse(base::str_cat("one process speaks version ", prefix.version,
                         " of shared memory, the other ", kVersion));
  } else if (prefix.kind == PacketKind::kRefusal) {
    end(printable(packet.bytes.substr(sizeof(prefix))));
  } else if (prefix.kind == PacketKind::kHello && state_ == State::kShaking) {
    on_hello(packet);
  } else if (prefix.kind == PacketKind::kSegment && state_ == State::kOpen) {
    on_segment(packet);
  } else {
    end("the peer sent a packet out of turn");
  }
}

void ShmSession::on_hello(Packet& packet) {
  Hello hello;
  if (!read(packet.bytes, hello) || packet.fds.size() != 2) {
    refuse("a greeting is not whole");
    return;
  }
  if (hello.job != context_.options.job || hello.incarnation == 0) {
    refuse("the peer belongs to another job");
    return;
  }
  auto peers_outbox = base::SharedMemory::map(packet.fds[0].release(), kShmOutboxBytes);
  if (!peers_outbox.ok()) {
    refuse(reason_of(peers_outbox.error()));
    return;
  }
  if (!is_doorbell(packet.fds[1])) {
    refuse("the peer's doorbell is none");
    return;
  }
  peers_doorbell_ = std::move(packet.fds[1]);
  if (!outgoing_ && !(make_own_side() && send_hello())) return;
  ring_.emplace(outbox_, std::move(peers_outbox.value()));
  state_ = State::kOpen;
  owner_.on_session_changed(*this);
}

void ShmSession::on_segment(Packet& packet) {
  Segment segment;
  if (!read(packet.bytes, segment) || packet.fds.size() != 1 || segment.id == 0 ||
      peers_segments_.size() >= kSegmentsMax || peers_segments_.count(segment.id) != 0) {
    end("the peer sent a segment that is none");
    return;
  }
  auto memory = base::SharedMemory::map(packet.fds[0].release(), 1);
  if (!memory.ok()) {
    end(reason_of(memory.error()));
    return;
  }
  peers_segments_.emplace(segment.id, std::move(memory.value()));
}

std::optional<std::uint64_t> ShmSession::segment_of(
    const std::shared_ptr<const base::SharedMemory>& memory) {
  const auto found = own_segments_.find(memory.get());
  if (found != own_segments_.end()) {
    if (!found->second.memory.expired()) return found->second.id;
    // Another memory whose object lies where one lay that is gone.
    forgotten_.push_back(found->second.id);
    own_segments_.erase(found);
  }
  if (own_segments_.size() >= kSegmentsMax) {
    refuse(base::str_cat("more than ", kSegmentsMax, " memories are shared"));
    return {};
  }
  Segment segment;
  segment.id = last_segment_ + 1;
  const int fd = memory->fd();
  const PacketStatus status = send_packet(socket_, bytes_of(segment), {&fd, 1});
  blocked_ = status == PacketStatus::kWouldWait;
  if (status == PacketStatus::kClosed) end("the peer has closed the connection");
  if (status != PacketStatus::kDone) return {};
  last_segment_ = segment.id;
  own_segments_[memory.get()] = {segment.id, memory};
  return segment.id;
}

}  // namespace dtrain::inline v0::transport
