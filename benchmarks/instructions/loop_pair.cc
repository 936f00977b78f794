#include "loop_pair.h"

#include <span>
#include <utility>

namespace dtrain::instructions {

namespace {

observe::Logger silent() {
  return observe::Logger([](LogLevel, std::string_view) {});
}

}  // namespace

class LoopPair::End final : public transport::Endpoint {
 public:
  End(LoopPair& pair, std::uint64_t incarnation, transport::LinkId link)
      : pair_(pair), incarnation_(incarnation), link_(link), gate_(options(), silent()) {}

  void set_peer(End* peer) { peer_ = peer; }
  void deliver(const std::string& first, std::vector<transport::Frame> payload) {
    auto incoming = gate_.admit(link_, std::as_bytes(std::span(first)), std::move(payload),
                                [] { return std::string("the other end"); });
    if (incoming && handler_ != nullptr) handler_->on_message(std::move(*incoming));
    if (handler_ != nullptr) handler_->on_timer(now());
  }

  void set_handler(transport::Service /*service*/, transport::Handler* handler) override {
    handler_ = handler;
  }
  base::Result<transport::LinkId> connect(const std::string& /*address*/) override { return link_; }
  base::Status send(transport::LinkId /*link*/, transport::Message message) override {
    if (base::Status status = gate_.check_outgoing(message)) return status;
    std::string first = gate_.encode_first_frame(message);
    gate_.count_sent(transport::payload_bytes_of(message.payload));
    pair_.under_way_.push_back({peer_, std::move(first), std::move(message.payload)});
    return {};
  }
  void close(transport::LinkId /*link*/) override {}
  void refuse(std::uint64_t sender) override { gate_.refuse(sender); }
  void post(std::function<void()> function) override { function(); }
  base::TimePoint now() const override { return base::TimePoint(std::chrono::hours(1)); }
  transport::EndpointCounters counters() const override { return gate_.counters(); }
  const std::string& address() const override { return address_; }
  std::uint64_t incarnation() const override { return incarnation_; }

 private:
  transport::EndpointOptions options() const { return {.incarnation = incarnation_}; }

  LoopPair& pair_;
  const std::uint64_t incarnation_;
  const transport::LinkId link_;
  const std::string address_;
  transport::Gate gate_;
  End* peer_ = nullptr;
  transport::Handler* handler_ = nullptr;
};

LoopPair::LoopPair()
    : worker_(std::make_unique<End>(*this, 1, 1)),
      server_(std::make_unique<End>(*this, 2, transport::kInboundBit | 1)) {
  worker_->set_peer(server_.get());
  server_->set_peer(worker_.get());
}

LoopPair::~LoopPair() = default;

transport::Endpoint& LoopPair::worker() { return *worker_; }
transport::Endpoint& LoopPair::server() { return *server_; }

void LoopPair::settle() {
  while (!under_way_.empty()) {
    Delivery delivery = std::move(under_way_.front());
    under_way_.pop_front();
    delivery.to->deliver(delivery.first, std::move(delivery.payload));
  }
}

}  // namespace dtrain::instructions
