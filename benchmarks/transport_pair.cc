#include "transport_pair.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <future>
#include <numeric>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "bench/statistics.h"
#include "dtrain/error.h"
#include "tensor/arena.h"
#include "transport/zmq_endpoint.h"

namespace dtrain::benchmarks {
namespace {

using transport::Endpoint;
using transport::EndpointOptions;
using transport::Frame;
using transport::Incoming;
using transport::Message;

constexpr transport::Service kService = transport::Service::kPs;
constexpr base::Duration kDeadline = std::chrono::seconds(20);
constexpr std::uint64_t kSenderIncarnation = 1;
constexpr std::uint64_t kSinkIncarnation = 2;

// What the body of each message says, and (sum) of the answer.
struct Note {
  std::uint64_t bytes = 0;  // of the whole transfer
  std::uint64_t sum = 0;
};

std::string body_of(const Note& note) {
  return {reinterpret_cast<const char*>(&note), sizeof(note)};
}

Note note_of(const Message& message) {
  Note note;
  if (message.body.size() == sizeof(note)) std::memcpy(&note, message.body.data(), sizeof(note));
  return note;
}

std::uint64_t sum_of(std::span<const std::byte> bytes) {
  const auto* words = reinterpret_cast<const std::uint64_t*>(bytes.data());
  return std::accumulate(words, words + bytes.size() / sizeof(std::uint64_t), std::uint64_t{0});
}

EndpointOptions options_of(Transport transport, std::uint64_t incarnation) {
  EndpointOptions options;
  options.job = 1;
  options.incarnation = incarnation;
  if (transport == Transport::kShm) options.shared_memory = transport::SharedMemoryUse::kRequired;
  return options;
}

class Sink final : public transport::Handler {
 public:
  explicit Sink(Endpoint*& endpoint) : endpoint_(endpoint) {}

  void on_message(Incoming incoming) override {
    const Note note = note_of(incoming.message);
    for (const Frame& frame : incoming.message.payload) {
      received_.bytes += frame.bytes.size();
      received_.sum += sum_of(frame.bytes);
    }
    if (received_.bytes < note.bytes) return;
    Message answer{.service = kService, .body = body_of(received_), .payload = {}};
    received_ = {};
    // One that cannot be sent is missed by the other process.
    [[maybe_unused]] const base::Status status = endpoint_->send(incoming.link, std::move(answer));
  }
  base::TimePoint on_timer(base::TimePoint) override { return base::kForever; }

 private:
  Endpoint*& endpoint_;
  Note received_;
};

}  // namespace

std::string transport_name(Transport transport) {
  if (transport == Transport::kTcp) return "tcp";
  return transport == Transport::kIpc ? "ipc" : "shm";
}

void run_transport_sink(bench::ChildSide& side) {
  const std::string& name = side.arguments.at(0);
  const Transport transport = name == "shm"   ? Transport::kShm
                              : name == "ipc" ? Transport::kIpc
                                              : Transport::kTcp;
  EndpointOptions options = options_of(transport, kSinkIncarnation);
  options.listen = transport == Transport::kIpc ? base::str_cat("ipc://@dtrain-sink-", getpid())
                                                : "tcp://127.0.0.1:0";
  Endpoint* pointer = nullptr;
  Sink sink(pointer);
  const std::unique_ptr<Endpoint> endpoint = make_zmq_endpoint(options, observe::Logger());
  pointer = endpoint.get();
  endpoint->set_handler(kService, &sink);
  side.parent.send(endpoint->address());
  side.parent.receive_or_end();
  endpoint->set_handler(kService, nullptr);
}

// The endpoint of this process. What the handler uses belongs to the I/O thread.
class TransportPair::Sender final : public transport::Handler {
 public:
  Sender(Transport transport, std::size_t bytes_max)
      : endpoint_(make_zmq_endpoint(options_of(transport, kSenderIncarnation), observe::Logger())) {
    const std::size_t count = bytes_max / sizeof(float);
    auto source = tensor::Arena::shared(count);
    if (source.memory() != nullptr) endpoint_->share(source.memory());
    std::uint32_t word = 1;
    for (float& value : source.span()) {
      word = word * 1664525 + 1013904223;
      std::memcpy(&value, &word, sizeof(value));
    }
    source_ = std::make_shared<const tensor::Arena>(std::move(source));
    endpoint_->set_handler(kService, this);
  }
  ~Sender() override { endpoint_->set_handler(kService, nullptr); }

  void connect(const std::string& address) {
    on_io([this, address] { return link_ = endpoint_->connect(address).value(); });
  }

  std::vector<double> sample(std::size_t count, std::size_t bytes, std::size_t chunk) {
    const std::uint64_t sum = sum_of(std::as_bytes(source_->span()).first(bytes));
    std::future<std::vector<double>> done = on_io([=, this] {
      left_ = count;
      chunk_ = chunk;
      expected_ = {bytes, sum};
      seconds_.clear();
      done_ = std::promise<std::vector<double>>();
      std::future<std::vector<double>> result = done_.get_future();
      send_next();
      return result;
    });
    return get(done);
  }

  void on_message(Incoming incoming) override {
    if (left_ == 0) return;  // after a failure
    const double seconds = watch_->seconds();
    const Note answer = note_of(incoming.message);
    if (answer.bytes != expected_.bytes || answer.sum != expected_.sum) {
      return fail(Error(ErrorCode::kDataLoss,
                        base::str_cat("The other process got ", answer.bytes, " bytes of ",
                                      expected_.bytes, ", or others than were sent")));
    }
    seconds_.push_back(seconds);
    if (--left_ == 0) return done_.set_value(std::move(seconds_));
    send_next();
  }
  base::TimePoint on_timer(base::TimePoint) override { return base::kForever; }

 private:
  template <typename Function>
  std::invoke_result_t<Function> on_io(Function function) {
    // Shared: the function may be dropped, or run after this thread has given up.
    auto task =
        std::make_shared<std::packaged_task<std::invoke_result_t<Function>()>>(std::move(function));
    auto result = task->get_future();
    endpoint_->post([task] { (*task)(); });
    return get(result);
  }

  template <typename T>
  static T get(std::future<T>& future) {
    if (future.wait_for(kDeadline) != std::future_status::ready) {
      throw Error(ErrorCode::kDeadlineExceeded, "The other process has not answered for 20 s",
                  "What it wrote to standard error says why");
    }
    return future.get();
  }

  void send_next() {
    watch_.emplace();
    const auto bytes = std::as_bytes(source_->span()).first(expected_.bytes);
    for (std::size_t at = 0; at < bytes.size(); at += chunk_) {
      const std::size_t size = std::min(chunk_, bytes.size() - at);
      Message message{.service = kService,
                      .body = body_of(expected_),
                      .payload = {Frame{bytes.subspan(at, size), source_}}};
      if (const base::Status status = endpoint_->send(link_, std::move(message))) {
        return fail(*status);
      }
    }
  }

  void fail(const Error& error) {
    left_ = 0;
    done_.set_exception(std::make_exception_ptr(error));
  }

  std::shared_ptr<const tensor::Arena> source_;
  transport::LinkId link_ = transport::kNoLink;
  std::size_t left_ = 0;
  std::size_t chunk_ = 0;
  Note expected_;
  std::vector<double> seconds_;
  std::optional<bench::Stopwatch> watch_;
  std::promise<std::vector<double>> done_;
  // Last: its thread uses the others.
  std::unique_ptr<Endpoint> endpoint_;
};

TransportPair::TransportPair(Transport transport, std::size_t bytes_max)
    : child_(std::make_unique<bench::Child>(bench::ChildOptions{
          .role = "transport-sink", .arguments = {transport_name(transport)}})) {
  const std::string address = child_->channel().receive();
  sender_ = std::make_unique<Sender>(transport, bytes_max);
  sender_->connect(address);
}

TransportPair::~TransportPair() = default;

std::vector<double> TransportPair::sample(std::size_t count, std::size_t bytes, std::size_t chunk) {
  return sender_->sample(count, bytes, chunk);
}

}  // namespace dtrain::benchmarks
