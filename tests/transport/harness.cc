#include "transport/harness.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "base/philox.h"
#include "base/strings.h"
#include "support/seed.h"
#include "support/time_scale.h"
#include "transport/sim_world.h"
#include "transport/zmq_endpoint.h"

namespace dtrain::transport {
namespace {

/// A port below the ephemeral range, held by a socket that does not listen: whoever sets
/// SO_REUSEADDR, as libzmq does, can listen on it, and nobody is handed it by accident.
class ReservedPort {
 public:
  explicit ReservedPort(bool ipv6) {
    base::PhiloxStream random(static_cast<std::uint64_t>(getpid()) << 32 |
                              static_cast<std::uint64_t>(next_.fetch_add(1)));
    for (int attempt = 0; attempt < 1000; ++attempt) {
      port_ = static_cast<std::uint16_t>(20000 + random.below(12000));
      fd_ = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const int on = 1;
      setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
      if (bind_loopback(ipv6)) return;
      ::close(fd_);
    }
    throw std::runtime_error("no free port from 20000 to 32000");
  }
  ~ReservedPort() { ::close(fd_); }
  ReservedPort(const ReservedPort&) = delete;
  ReservedPort& operator=(const ReservedPort&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  bool bind_loopback(bool ipv6) const {
    if (ipv6) {
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_addr = in6addr_loopback;
      address.sin6_port = htons(port_);
      return bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    return bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }

  inline static std::atomic<std::uint32_t> next_{0};
  int fd_ = -1;
  std::uint16_t port_ = 0;
};

class ZmqHarness final : public Harness {
 public:
  explicit ZmqHarness(std::string host, bool shared)
      : host_(std::move(host)), shared_(shared), context_(zmq_ctx_new()) {}
  ~ZmqHarness() override {
    for (void* socket : raw_sockets_) zmq_close(socket);
    zmq_ctx_term(context_);
  }

  std::unique_ptr<Endpoint> make(const EndpointOptions& options) override {
    EndpointOptions chosen = options;
    const bool open = chosen.shared_memory == SharedMemoryUse::kOff;
    if (shared_ && open) chosen.shared_memory = SharedMemoryUse::kAuto;
    return make_zmq_endpoint(chosen, log_.logger());
  }
  std::string fresh_address() override {
    static std::atomic<int> next{0};
    if (host_ == "ipc") return base::str_cat("ipc://@dtrain-test-", getpid(), "-", next++);
    ports_.push_back(std::make_unique<ReservedPort>(host_ != "127.0.0.1"));
    return base::str_cat("tcp://", host_, ":", ports_.back()->port());
  }
  bool wait_until(const std::function<bool()>& condition) override {
    return support::eventually(condition);
  }
  void send_raw(const Endpoint& to, const std::vector<std::string>& frames) override {
    void* socket = zmq_socket(context_, ZMQ_DEALER);
    const int linger = 0;
    const int on = 1;
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger));
    zmq_setsockopt(socket, ZMQ_IPV6, &on, sizeof(on));
    zmq_connect(socket, to.address().c_str());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      zmq_send(socket, frames[i].data(), frames[i].size(), i + 1 < frames.size() ? ZMQ_SNDMORE : 0);
    }
    raw_sockets_.push_back(socket);
  }
  void kill(std::unique_ptr<Endpoint>& endpoint) override {
    endpoint->set_handler(Service::kCluster, nullptr);
    endpoint.reset();
  }

 private:
  const std::string host_;
  const bool shared_;
  void* const context_;
  std::vector<void*> raw_sockets_;
  std::vector<std::unique_ptr<ReservedPort>> ports_;
};

class SimHarness final : public Harness {
 public:
  SimHarness() : world_(support::seed(), SimFaults{}, log_.logger()) {}
  ~SimHarness() override {
    for (const std::string& violation : world_.violations()) ADD_FAILURE() << violation;
  }

  std::unique_ptr<Endpoint> make(const EndpointOptions& options) override {
    return world_.make_endpoint(options);
  }
  std::string fresh_address() override { return base::str_cat("sim://", next_++); }
  bool wait_until(const std::function<bool()>& condition) override {
    return world_.run_until(condition, std::chrono::seconds(20));
  }
  void send_raw(const Endpoint& to, const std::vector<std::string>& frames) override {
    world_.inject(to, frames);
  }
  void kill(std::unique_ptr<Endpoint>& endpoint) override {
    world_.kill(*endpoint);
    endpoint->set_handler(Service::kCluster, nullptr);
    endpoint.reset();
  }

 private:
  SimWorld world_;
  int next_ = 0;
};

}  // namespace

observe::Logger LogLines::logger() const {
  return observe::Logger([state = state_](LogLevel, std::string_view line) {
    base::MutexLock lock(state->mutex);
    state->lines.emplace_back(line);
  });
}

std::vector<std::string> LogLines::lines() const {
  base::MutexLock lock(state_->mutex);
  return state_->lines;
}

int LogLines::count(const std::string& text) const {
  const std::vector<std::string> all = lines();
  return static_cast<int>(std::count_if(all.begin(), all.end(), [&](const std::string& line) {
    return line.find(text) != std::string::npos;
  }));
}

std::unique_ptr<Harness> make_zmq_harness(const std::string& host_or_ipc, bool shared_memory) {
  return std::make_unique<ZmqHarness>(host_or_ipc, shared_memory);
}

std::vector<HarnessKind> harness_kinds() {
  return {{"Tcp", [] { return make_zmq_harness("127.0.0.1"); }},
          {"Tcp6", [] { return make_zmq_harness("[::1]"); }},
          {"Ipc", [] { return make_zmq_harness("ipc"); }},
          {"SharedMemory", [] { return make_zmq_harness("127.0.0.1", true); }},
          {"Simulator", [] { return std::make_unique<SimHarness>(); }}};
}

void Recorder::on_message(Incoming incoming) {
  if (react) react(incoming);
  base::MutexLock lock(mutex_);
  messages_.push_back(std::move(incoming));
}

base::TimePoint Recorder::on_timer(base::TimePoint /*now*/) { return base::kForever; }

std::size_t Recorder::count() const {
  base::MutexLock lock(mutex_);
  return messages_.size();
}

Incoming Recorder::at(std::size_t index) const {
  base::MutexLock lock(mutex_);
  return messages_.at(index);
}

void Recorder::clear() {
  base::MutexLock lock(mutex_);
  messages_.clear();
}

Peer::Peer(Harness& harness, const EndpointOptions& options)
    : harness_(harness), endpoint_(harness.make(options)) {
  endpoint_->set_handler(Service::kCluster, &received_);
}

Peer::~Peer() {
  // What reacts uses the endpoint through this object.
  if (endpoint_) endpoint_->set_handler(Service::kCluster, nullptr);
}

void Peer::on_io(std::function<void()> function) {
  auto done = std::make_shared<std::atomic<bool>>(false);
  endpoint_->post([run = std::move(function), done] {
    run();
    *done = true;
  });
  if (!harness_.wait_until([&] { return done->load(); })) {
    throw std::runtime_error("a posted function did not run");
  }
}

LinkId Peer::connect(const std::string& address) {
  LinkId link = kNoLink;
  on_io([&] { link = endpoint_->connect(address).value(); });
  return link;
}

base::Status Peer::send(LinkId link, Message message) {
  base::Status status;
  auto shared = std::make_shared<Message>(std::move(message));
  on_io([&, shared] { status = endpoint_->send(link, std::move(*shared)); });
  return status;
}

void Peer::close(LinkId link) {
  on_io([&] { endpoint_->close(link); });
}

void Peer::react(std::function<void(const Incoming&)> function) {
  on_io([&] { received_.react = std::move(function); });
}

bool Peer::wait_for(std::size_t count) {
  return harness_.wait_until([&] { return received_.count() >= count; });
}

Message message_of(const std::string& body) {
  Message message;
  message.service = Service::kCluster;
  message.body = body;
  return message;
}

Frame frame_of(std::size_t size, unsigned salt) {
  auto bytes = std::make_shared<std::vector<std::byte>>(size);
  for (std::size_t i = 0; i < size; ++i) {
    (*bytes)[i] = static_cast<std::byte>((i * 131 + (i >> 8) + salt * 7919) & 0xFF);
  }
  return {*bytes, bytes};
}

bool equal(const Frame& a, const Frame& b) {
  return std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin(), b.bytes.end());
}

}  // namespace dtrain::transport
