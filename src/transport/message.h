#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace dtrain::inline v0::transport {

/// Who in the process a message is for. The numbers are on the wire.
enum class Service : std::uint8_t { kCluster = 1, kPs = 2, kCollective = 3, kTransport = 4 };
/// Those that have handlers; kTransport is what endpoints say to each other.
constexpr int kServiceCount = 3;

/// A run of bytes that stays valid and unchanged for as long as a copy of `hold` lives.
///
/// Sent: the bytes are lent, not copied; the transport drops its hold when it has no further use
/// for them (they have left, or the link was closed), on any thread. Until then a writer must keep
/// off: this is the lease of a region. Received: whoever keeps `hold` keeps the receive buffer,
/// which starts at a multiple of 8 bytes. It may be the sender's own memory, which the sender keeps
/// off only if it is sound: what must not change between a check and its use is copied first.
struct Frame {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> hold;
};

/// A frame that owns a copy of `bytes`.
Frame copy_frame(std::span<const std::byte> bytes);

/// A message: a small body (a Protobuf of the service's own) and raw payload frames.
struct Message {
  Service service = Service::kCluster;
  std::string body;
  std::vector<Frame> payload;
};

/// One way to a peer, as one endpoint names it. An outgoing link outlives reconnections; a link
/// that a peer opened is gone when that peer reconnects: its next message shows the new one.
using LinkId = std::uint64_t;
constexpr LinkId kNoLink = 0;

/// A message that arrived, and how to answer it.
struct Incoming {
  LinkId link = kNoLink;
  std::uint64_t sender = 0;  ///< The incarnation of the peer's endpoint.
  Message message;
};

}  // namespace dtrain::inline v0::transport
