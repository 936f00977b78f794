#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "observe/log.h"
#include "transport/endpoint.h"
#include "transport/shm_note.h"
#include "transport/shm_session.h"

namespace dtrain::inline v0::transport {

// What epoll says about shared memory: a session's socket (0: the listener) and its doorbell.
constexpr std::uint64_t kShmSocketBit = std::uint64_t{1} << 60;
constexpr std::uint64_t kShmBellBit = std::uint64_t{1} << 59;

/// What a hub needs of its endpoint.
class ShmHost {
 public:
  virtual ~ShmHost() = default;
  /// Has epoll report what happens to a descriptor from now on, each time once. False when the
  /// kernel refuses.
  virtual bool watch_edge(int fd, std::uint64_t key) = 0;
  virtual void deliver_shared(LinkId link, std::span<const std::byte> first,
                              std::vector<Frame> payload) = 0;
  /// Sends over the network, on an outgoing link that the hub had.
  virtual void send_on_network(LinkId link, Outgoing message) = 0;
  /// The ticket is given up when the note has left.
  virtual void send_note(LinkId link, const ShmNote& note, std::shared_ptr<Ticket> ticket) = 0;
};

/// An endpoint's shared memory: who its peers on this host are, and which links go to them. An
/// outgoing link is the hub's from its beginning until it turns out that it has to go over the
/// network. Confined to the I/O thread, but for the context's parts that say otherwise.
class ShmHub final : private ShmSessionOwner {
 public:
  /// Throws unavailable when this process can share no memory and must.
  ShmHub(const EndpointOptions& options, int wake, observe::Logger logger, ShmHost& host);
  ~ShmHub() override;

  ShmContext& context() { return context_; }
  /// False: this process can share no memory, and all links go over the network.
  bool on() const { return off_reason_.empty(); }

  /// Takes a new outgoing link.
  void add_link(LinkId link, std::string address, base::TimePoint now);
  bool has_link(LinkId link) const { return links_.count(link) != 0; }
  /// Messages of the link that have not left yet; null for one that the hub does not have.
  std::shared_ptr<SendQueue> queue_of(LinkId link) const;
  base::Status send(LinkId link, Outgoing message);
  void close_link(LinkId link);
  std::string address_of(LinkId link) const;

  /// What to answer to a peer that asks.
  ShmNote answer(std::uint64_t job) const;
  void on_answer(LinkId link, const ShmNote& note, base::TimePoint now);

  void on_event(std::uint64_t key);
  /// Once a round, at its beginning: receives and sends.
  void pump(base::TimePoint now);
  /// Once a round, at its end: peers get back what they have lent.
  void end_round();
  /// Whether a session has received or sent something since this thread slept last.
  bool anyone_awake() const { return !awake_.empty(); }
  /// Whether one of the sessions that are awake has something to receive or room to send.
  bool has_news() const;
  /// Before the thread sleeps. When the hub wants the next round at the latest; TimePoint::min()
  /// when at once.
  base::TimePoint prepare_wait(base::TimePoint now);
  /// Waits at most `linger` until what was sent has been read; then everything ends.
  void finish(base::Duration linger);

 private:
  struct Link {
    enum class State { kAsking, kShaking, kOpen, kFailed };
    State state = State::kAsking;
    bool asked_once_more = false;  ///< After a hand-over that broke.
    std::string address;
    std::shared_ptr<SendQueue> queue = std::make_shared<SendQueue>();
    std::shared_ptr<SendQueue> questions = std::make_shared<SendQueue>();
    std::deque<Outgoing> waiting;  ///< While it is asking or shaking hands.
    std::uint64_t session = 0;
    base::TimePoint act_at{};  ///< Asks again; gives the hand-over up.
    base::Duration ask_pause{};
    base::Duration retry_pause{};
    base::TimePoint opened{};
    base::Status error;  ///< kFailed: what every message is answered with.
  };

  void on_session_message(ShmSession& session, std::span<const std::byte> first,
                          std::vector<Frame> payload) override;
  void on_session_changed(ShmSession& session) override;

  /// Gives sessions the leases that their peers are to get back.
  void collect_returns();
  void accept_all();
  bool ask_once_more(Link& link, base::TimePoint now);
  ShmSession& add_session(LinkId link, Fd socket);
  void settle(base::TimePoint now);
  void link_opened(ShmSession& session, base::TimePoint now);
  void link_ended(ShmSession& session, base::TimePoint now);
  void act(LinkId id, Link& link, base::TimePoint now);
  void leave_to_network(LinkId id, const std::string& reason);
  void log_once(const std::string& address, const std::string& reason);
  ShmSession* find_session(std::uint64_t number);

  const EndpointOptions& options_;
  const observe::Logger logger_;
  ShmHost& host_;
  ShmContext context_;
  ShmListener listener_;
  std::string off_reason_;

  std::map<LinkId, Link> links_;
  std::unordered_map<std::uint64_t, std::unique_ptr<ShmSession>> sessions_;
  std::map<std::uint64_t, base::TimePoint>
      shaking_;  ///< Peers that have not said hello: until when.
  std::set<std::uint64_t> awake_;
  std::set<std::uint64_t> blocked_;  ///< Asleep, but to be looked at again by themselves.
  std::vector<std::uint64_t> changed_;
  std::uint64_t last_session_ = 0;
  base::TimePoint swept_{};
  std::set<std::string> logged_;
};

}  // namespace dtrain::inline v0::transport
