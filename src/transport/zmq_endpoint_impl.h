#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/spin_wait.h"
#include "transport/dispatcher.h"
#include "transport/endpoint.h"
#include "transport/gate.h"
#include "transport/resolver.h"
#include "transport/shm_hub.h"
#include "transport/zmq_frames.h"
#include "transport/zmq_link.h"

namespace dtrain::inline v0::transport {

// What epoll says besides the ids of outgoing links: the listener is link 0, and the monitor of a
// link has its id and a bit.
constexpr std::uint64_t kListenerKey = kNoLink;
constexpr std::uint64_t kWakeKey = ~std::uint64_t{0};
constexpr std::uint64_t kMonitorBit = std::uint64_t{1} << 62;

/// The descriptor that announces what happens to a socket.
int fd_of(void* socket);

/// The endpoint of make_zmq_endpoint, which has its contract. zmq_endpoint.cc has what runs on any
/// thread, zmq_io.cc what runs on the I/O thread, and zmq_shared.cc what joins it to shared memory.
class ZmqEndpoint final : public Endpoint, private ShmHost {
 public:
  ZmqEndpoint(const EndpointOptions& options, const observe::Logger& logger);
  ~ZmqEndpoint() override;

  void set_handler(Service service, Handler* handler) override;
  base::Result<LinkId> connect(const std::string& address) override;
  base::Status send(LinkId link, Message message) override;
  void close(LinkId link) override;
  void share(const std::shared_ptr<const base::SharedMemory>& memory) override;
  bool shares_memory() const override { return hub_ && hub_->on(); }
  void refuse(std::uint64_t sender) override { gate_.refuse(sender); }
  void post(std::function<void()> function) override;
  base::TimePoint now() const override { return clock_.now(); }
  EndpointCounters counters() const override;
  const std::string& address() const override { return address_; }
  std::uint64_t incarnation() const override { return options_.incarnation; }

 private:
  void check_not_forked() const;
  void wake();
  void watch(int fd, std::uint64_t key) const;
  void release_context();

  void run_on_io();
  /// Whether there is something to do soon: nobody has to wake this thread then.
  bool spin_on_io(base::TimePoint until);
  void sleep_on_io(base::TimePoint until);
  /// Takes in what has happened to descriptors; false when nothing has.
  bool poll_on_io(int timeout_ms);
  void drain_on_io(LinkId source);
  void receive_on_io(LinkId source, RawMessage& raw);
  void run_posted_on_io();
  base::TimePoint look_up_on_io(base::TimePoint now);
  void close_all_on_io();
  void touch_on_io(LinkId source);
  base::Status send_inbound_on_io(LinkId link, Outgoing message);
  std::shared_ptr<SendQueue> inbound_queue_on_io(LinkId link);

  // zmq_shared.cc
  bool watch_edge(int fd, std::uint64_t key) override;
  void deliver_shared(LinkId link, std::span<const std::byte> first,
                      std::vector<Frame> payload) override;
  void send_on_network(LinkId link, Outgoing message) override;
  void send_note(LinkId link, const ShmNote& note, std::shared_ptr<Ticket> ticket) override;
  /// True for what endpoints say to each other, which has no handler.
  bool take_note_on_io(LinkId source, RawMessage& raw);
  Outgoing note_message(const ShmNote& note) const;

  // Immutable, or thread-safe by themselves.
  const EndpointOptions options_;
  const base::SteadyClock clock_;
  const pid_t pid_ = getpid();
  std::string address_;
  void* context_ = nullptr;
  int wake_fd_ = -1;
  int poll_fd_ = -1;
  Gate gate_;
  Dispatcher dispatcher_;

  // Confined to the I/O thread.
  void* listener_ = nullptr;
  LinkId next_link_ = 1;
  std::unordered_map<LinkId, std::unique_ptr<ZmqLink>> links_;
  std::vector<LinkId> named_links_;
  /// Queues of links that peers opened; those that are empty are forgotten now and then.
  std::unordered_map<LinkId, std::shared_ptr<SendQueue>> inbound_queues_;
  std::size_t inbound_sweep_at_ = 64;
  /// Links whose sockets, and those whose monitors, are to be looked at before sleeping. libzmq's
  /// descriptors only announce anything once a socket has been read until it was empty, and sending
  /// takes in what they have announced: new sockets and those that were sent on belong here too.
  std::vector<LinkId> active_;
  std::vector<LinkId> monitors_;
  base::SpinWait spin_;
  /// Null when shared memory is not wanted. Its context is thread-safe.
  std::unique_ptr<ShmHub> hub_;

  base::Mutex mutex_;
  bool stopping_ DTRAIN_GUARDED_BY(mutex_) = false;
  /// False while the thread waits for what wake() writes.
  bool awake_ DTRAIN_GUARDED_BY(mutex_) = true;
  std::vector<std::function<void()>> posted_ DTRAIN_GUARDED_BY(mutex_);

  std::unique_ptr<Resolver> resolver_ =
      std::make_unique<Resolver>();  // Its answers use what stands above.
  std::unique_ptr<std::thread> thread_;
};

}  // namespace dtrain::inline v0::transport
