#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/shared_memory.h"
#include "transport/message.h"

namespace dtrain::inline v0::transport {

/// Limits that every implementation enforces, on what it sends and on what it receives.
struct EndpointLimits {
  std::size_t body_bytes_max = 1 << 20;
  std::size_t frame_bytes_max = 64 << 20;
  std::size_t frame_count_max = 16;
  /// Messages handed to a link that have not left yet; one more is refused.
  std::size_t queue_messages_max = 4096;
};

/// Whether links to `tcp://` addresses go through shared memory where the peer is on this host.
enum class SharedMemoryUse {
  kOff,
  kAuto,      ///< Where it works; over the network elsewhere.
  kRequired,  ///< Messages to a peer that cannot share memory are failed_precondition errors.
};

struct EndpointOptions {
  /// Where to listen: `tcp://127.0.0.1:2222`, `tcp://[::]:2222`, `ipc://@name` (abstract),
  /// `sim://name`. Port 0 picks one. Empty: outgoing links only.
  std::string listen;
  std::uint64_t job = 0;          ///< Messages of another job are refused.
  std::uint64_t incarnation = 0;  ///< This endpoint among all that ever were. Not 0.
  EndpointLimits limits;
  /// How long destruction waits at most for queued messages to leave.
  base::Duration linger = std::chrono::seconds(1);
  SharedMemoryUse shared_memory = SharedMemoryUse::kOff;
};

/// What an endpoint has moved since it was made. Payload bytes leave out headers and bodies.
struct EndpointCounters {
  std::uint64_t messages_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t payload_bytes_sent = 0;
  std::uint64_t payload_bytes_received = 0;
  std::uint64_t shared_bytes_sent = 0;      ///< Of the payload: through shared memory.
  std::uint64_t shared_bytes_received = 0;  ///< Of the payload: through shared memory.
  /// Of what was sent through shared memory: copied on the way, because it was small or did not
  /// lie in memory that the endpoint shares.
  std::uint64_t staged_bytes = 0;
  std::uint64_t refused = 0;     ///< Messages that did not decode, or came from a refused peer.
  std::uint64_t exceptions = 0;  ///< Thrown by handlers and posted functions: bugs, each logged.
};

/// One service's side of an endpoint. Everything runs on the endpoint's I/O thread.
class Handler {
 public:
  virtual ~Handler() = default;
  /// May send, connect and close, and may keep the frames' holds.
  virtual void on_message(Incoming incoming) = 0;
  /// Called after each round of messages and posted functions, and when the time it returned last
  /// has come. Returns when it wants to be called next at the latest.
  virtual base::TimePoint on_timer(base::TimePoint now) = 0;
};

/// One process's end of all its links: messages out, messages in, time. Messages of one link
/// arrive in order; they may be lost or doubled when a connection breaks, so that services number
/// what matters and ask again. Confined to its I/O thread except where a function says otherwise.
class Endpoint {
 public:
  virtual ~Endpoint() = default;

  /// Any thread. Until a service has its first handler, its first messages (some hundred) wait for
  /// it; without a handler later they are refused. Null takes the handler away and waits until it
  /// is not running (unless it is the one that asks); functions that it has posted still run. At
  /// most one handler a service, else failed_precondition.
  virtual void set_handler(Service service, Handler* handler) = 0;

  /// A new outgoing link. Never waits: names are resolved and connections tried, again and again,
  /// behind it, and what is sent meanwhile is queued. An address that cannot be parsed is an
  /// invalid_argument error.
  virtual base::Result<LinkId> connect(const std::string& address) = 0;

  /// Queues a message. An error (resource_exhausted at the queue's limit, unavailable for a link
  /// that is gone, invalid_argument beyond a size limit) says that it was not queued.
  virtual base::Status send(LinkId link, Message message) = 0;

  /// Closes an outgoing link and drops what it has queued; the holds are released soon after.
  virtual void close(LinkId link) = 0;

  /// Frames that lie in this memory are handed to peers on this host without a copy. Any thread;
  /// the endpoint does not keep it alive.
  virtual void share(const std::shared_ptr<const base::SharedMemory>& /*memory*/) {}
  /// Whether share() has an effect. Any thread.
  virtual bool shares_memory() const { return false; }

  /// Ignores what this sender says from now on (it sent what does not decode). Idempotent.
  virtual void refuse(std::uint64_t sender) = 0;

  /// Runs `function` on the I/O thread, after those posted before. Any thread. Dropped without
  /// running once the endpoint is being destroyed.
  virtual void post(std::function<void()> function) = 0;

  /// Any thread.
  virtual base::TimePoint now() const = 0;
  virtual EndpointCounters counters() const = 0;
  /// Where it listens, with the port that was picked; empty if it does not. Any thread.
  virtual const std::string& address() const = 0;
  virtual std::uint64_t incarnation() const = 0;
};

}  // namespace dtrain::inline v0::transport
