#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/shared_memory.h"
#include "transport/endpoint.h"
#include "transport/shm_leases.h"
#include "transport/shm_record.h"
#include "transport/shm_registry.h"
#include "transport/shm_ring.h"
#include "transport/shm_socket.h"
#include "transport/zmq_frames.h"

namespace dtrain::inline v0::transport {

/// Links that a peer opened through shared memory have this bit beside kInboundBit.
constexpr LinkId kSharedBit = LinkId{1} << 61;

/// What the sessions of one endpoint have in common.
struct ShmContext {
  explicit ShmContext(const EndpointOptions& endpoint_options, int wake)
      : options(endpoint_options), desk(std::make_shared<LeaseDesk>(wake)) {}

  const EndpointOptions& options;
  ShmRegistry registry;
  StagingPool staging{registry};
  const std::shared_ptr<LeaseDesk> desk;
  std::atomic<std::uint64_t> bytes_sent{0};
  std::atomic<std::uint64_t> bytes_received{0};
  std::atomic<std::uint64_t> bytes_staged{0};
};

/// An error's text as the reason in a sentence: without its code and its full stop.
std::string reason_of(const Error& error);

class ShmSession;

/// Who takes what a session receives.
class ShmSessionOwner {
 public:
  virtual ~ShmSessionOwner() = default;
  virtual void on_session_message(ShmSession& session, std::span<const std::byte> first,
                                  std::vector<Frame> payload) = 0;
  /// It is open now, or has ended. Called once for each; it must not be destroyed in here.
  virtual void on_session_changed(ShmSession& session) = 0;
};

/// Two processes of one user on one host that hand messages to each other through shared memory:
/// from the hand-over, in which each gets the other's outbox and doorbell over a Unix socket, to
/// the end of one of them, which the socket tells.
///
/// A payload frame in memory that the endpoint knows is lent to the peer where it lies, and its
/// hold is kept until the peer returns the lease. Others are copied: small ones into the ring,
/// larger ones to a staging segment, which is lent in their place. Confined to the I/O thread.
class ShmSession {
 public:
  enum class State { kShaking, kOpen, kEnded };

  /// `link` is 0 for one that a peer opened: it waits for the peer's greeting.
  ShmSession(std::uint64_t number, LinkId link, Fd socket, ShmContext& context,
             ShmSessionOwner& owner);
  /// Says hello if it is the one that connected; ends if that cannot be done.
  void start();

  std::uint64_t number() const { return number_; }
  LinkId link() const { return link_; }
  State state() const { return state_; }
  bool outgoing() const { return outgoing_; }
  /// Why it ended, and whether that was nobody's fault: the peer has closed.
  const std::string& reason() const { return reason_; }
  bool peer_left() const { return peer_left_; }
  const Fd& socket() const { return socket_; }
  const Fd& doorbell() const { return doorbell_; }
  const std::shared_ptr<SendQueue>& queue() const { return queue_; }

  void send(Outgoing message);
  /// What has not been handed over; for a session that has ended.
  std::deque<Outgoing> take_waiting() { return std::exchange(waiting_, {}); }

  /// The socket has something to say.
  void on_socket();
  /// Receives some messages and sends what there is room for. True: there may be more to receive.
  bool pump();
  void return_lease(std::uint64_t lease) { returns_.push_back(lease); }
  /// Sends what there is room for: leases first, then messages.
  void flush();
  /// Looks which of the segments that the peer knows are gone; true if it is to be told.
  bool sweep();
  /// See ShmRing.
  bool has_news() const { return state_ == State::kOpen && ring_->has_news(); }
  bool try_sleep();
  /// Messages are waiting for room.
  bool waits() const { return !waiting_.empty(); }
  /// What waits, waits for the socket: nothing rings when that has room again.
  bool blocked() const { return state_ == State::kOpen && blocked_ && waits(); }
  void wake();
  /// Nothing waits here, and the peer has read all that was sent.
  bool drained();

  void end(std::string reason);

 private:
  struct Lent {
    std::shared_ptr<const void> hold;
    std::shared_ptr<const base::SharedMemory> memory;
  };
  struct Known {
    std::uint64_t id = 0;
    std::weak_ptr<const base::SharedMemory> memory;
  };
  struct UnderWay {
    std::uint64_t end = 0;  ///< Where in the ring it ends.
    std::uint64_t bytes = 0;
  };
  /// A message on its way into the ring.
  struct Draft {
    ShmRecord record;
    std::vector<Lent> lent;
    std::size_t budget = 0;  ///< Bytes of frames that may still go into the record.
    std::uint64_t copied = 0;
  };

  // shm_handshake.cc
  bool make_own_side();
  bool send_hello();
  void on_packet(Packet packet);
  void on_hello(Packet& packet);
  void on_segment(Packet& packet);
  void refuse(const std::string& why);

  // shm_session.cc: receiving
  bool read_socket();
  void on_record(std::span<const std::byte> bytes);
  void on_message(const ShmRecord& record);
  std::optional<Frame> receive_frame(const ShmFrame& frame);
  void on_released(const std::vector<std::uint64_t>& leases);

  // shm_sending.cc
  bool publish(Outgoing& message);
  bool publish_numbers(ShmRecord::Kind kind, std::vector<std::uint64_t>& numbers);
  bool put(const ShmRecord& record);
  /// Adds a frame (null: the header and body) to the draft; false when it cannot be sent now.
  bool describe(std::span<const std::byte> bytes, Frame* frame, Draft& draft);
  bool room_for(std::uint64_t bytes);
  std::optional<std::uint64_t> segment_of(const std::shared_ptr<const base::SharedMemory>& memory);

  const std::uint64_t number_;
  const LinkId link_;
  const bool outgoing_;
  ShmContext& context_;
  ShmSessionOwner& owner_;
  const std::shared_ptr<SendQueue> queue_ = std::make_shared<SendQueue>();

  State state_ = State::kShaking;
  std::string reason_;
  bool peer_left_ = false;
  bool socket_closed_ = false;
  bool blocked_ = false;
  Fd socket_;
  Fd doorbell_;
  Fd peers_doorbell_;
  std::shared_ptr<base::SharedMemory> outbox_;
  std::optional<ShmRing> ring_;

  std::deque<Outgoing> waiting_;
  std::vector<std::uint64_t> returns_;
  std::vector<std::uint64_t> forgotten_;
  std::unordered_map<std::uint64_t, Lent> lent_;
  std::unordered_map<const base::SharedMemory*, Known> own_segments_;
  std::deque<UnderWay> under_way_;
  std::uint64_t bytes_under_way_ = 0;
  std::uint64_t last_lease_ = 0;
  std::uint64_t last_segment_ = 0;
  std::vector<std::byte> encoded_;

  std::unordered_map<std::uint64_t, std::shared_ptr<const base::SharedMemory>> peers_segments_;
  std::vector<std::byte> record_;
};

}  // namespace dtrain::inline v0::transport
