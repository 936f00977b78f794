#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "observe/log.h"
#include "transport/endpoint.h"

namespace dtrain::transport {

/// Collects the lines of a logger. Thread-safe.
class LogLines {
 public:
  observe::Logger logger() const;
  std::vector<std::string> lines() const;
  /// How many lines contain `text`.
  int count(const std::string& text) const;

 private:
  struct State {
    base::Mutex mutex;
    std::vector<std::string> lines DTRAIN_GUARDED_BY(mutex);
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// One implementation of Endpoint as the suite sees it: how to make one, and how to let time pass
/// (real time, or the simulator's).
class Harness {
 public:
  virtual ~Harness() = default;
  virtual std::unique_ptr<Endpoint> make(const EndpointOptions& options) = 0;
  /// An address to listen on that nobody else has, for as long as the harness lives.
  virtual std::string fresh_address() = 0;
  /// False when `condition` did not become true within the limit.
  virtual bool wait_until(const std::function<bool()>& condition) = 0;
  /// Sends a multipart message that no Endpoint would send.
  virtual void send_raw(const Endpoint& to, const std::vector<std::string>& frames) = 0;
  /// Nothing more happens in this endpoint, and its address is free, without a clean end. (Over
  /// real transports destruction is as near as one process gets.)
  virtual void kill(std::unique_ptr<Endpoint>& endpoint) = 0;

  const LogLines& log() const { return log_; }

 protected:
  LogLines log_;
};

struct HarnessKind {
  std::string name;
  std::function<std::unique_ptr<Harness>()> make;
};
/// ZeroMQ over tcp (IPv4, IPv6), over ipc, shared memory beside tcp, and the simulator.
std::vector<HarnessKind> harness_kinds();
std::unique_ptr<Harness> make_zmq_harness(const std::string& host_or_ipc,
                                          bool shared_memory = false);

/// A handler that keeps what comes. Thread-safe.
class Recorder : public Handler {
 public:
  void on_message(Incoming incoming) override;
  base::TimePoint on_timer(base::TimePoint now) override;

  /// Called on the I/O thread for each message, before it is kept. Set it there, or before the
  /// recorder becomes a handler.
  std::function<void(const Incoming&)> react;

  std::size_t count() const;
  Incoming at(std::size_t index) const;
  void clear();

 private:
  mutable base::Mutex mutex_;
  std::vector<Incoming> messages_ DTRAIN_GUARDED_BY(mutex_);
};

/// An endpoint with a recorder for the cluster service.
class Peer {
 public:
  Peer(Harness& harness, const EndpointOptions& options);
  ~Peer();

  Endpoint& endpoint() { return *endpoint_; }
  std::unique_ptr<Endpoint>& owner() { return endpoint_; }
  Recorder& received() { return received_; }

  /// Run on the I/O thread, waited for.
  void on_io(std::function<void()> function);
  LinkId connect(const std::string& address);
  base::Status send(LinkId link, Message message);
  void close(LinkId link);

  /// Sets the recorder's `react`.
  void react(std::function<void(const Incoming&)> function);

  bool wait_for(std::size_t count);

 private:
  Harness& harness_;
  Recorder received_;
  std::unique_ptr<Endpoint> endpoint_;
};

Message message_of(const std::string& body);
/// `size` bytes that depend on `salt`, and their owner.
Frame frame_of(std::size_t size, unsigned salt = 0);
bool equal(const Frame& a, const Frame& b);

}  // namespace dtrain::transport
