// What joins ZmqEndpoint to shared memory: notes over the network, messages beside it.
#include <sys/epoll.h>

#include <utility>

#include "transport/zmq_endpoint_impl.h"
#include "wire/header.h"

namespace dtrain::inline v0::transport {

void ZmqEndpoint::share(const std::shared_ptr<const base::SharedMemory>& memory) {
  check_not_forked();
  if (hub_ && memory) hub_->context().registry.add(memory);
}

bool ZmqEndpoint::watch_edge(int fd, std::uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = key;
  return epoll_ctl(poll_fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void ZmqEndpoint::deliver_shared(LinkId link, std::span<const std::byte> first,
                                 std::vector<Frame> payload) {
  const auto who = [&] { return hub_->address_of(link); };
  std::optional<Incoming> incoming = gate_.admit(link, first, std::move(payload), who);
  if (incoming && !dispatcher_.deliver(std::move(*incoming))) gate_.count_refused();
}

void ZmqEndpoint::send_on_network(LinkId link, Outgoing message) {
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  static_cast<void>(found->second->send(std::move(message)));
  touch_on_io(link);
}

Outgoing ZmqEndpoint::note_message(const ShmNote& note) const {
  Message message;
  message.service = Service::kTransport;
  message.body = encode_note(note);
  return {.first = gate_.encode_first_frame(message)};
}

void ZmqEndpoint::send_note(LinkId link, const ShmNote& note, std::shared_ptr<Ticket> ticket) {
  Outgoing message = note_message(note);
  message.ticket = std::move(ticket);
  send_on_network(link, std::move(message));
}

bool ZmqEndpoint::take_note_on_io(LinkId source, RawMessage& raw) {
  // Peers of other jobs ask before they are told by what they really say.
  const wire::HeaderRules rules{.service_max = static_cast<std::uint8_t>(Service::kTransport),
                                .any_job = true};
  const std::span<const std::byte> bytes = raw.first.bytes();
  constexpr std::size_t kServiceAt = 6;
  constexpr auto kNotes = static_cast<std::byte>(Service::kTransport);
  if (bytes.size() < wire::kHeaderBytes || bytes[kServiceAt] != kNotes) return false;
  const base::Result<wire::Header> header = wire::decode_header(bytes, rules);
  if (!header.ok() || !raw.payload.empty()) return false;
  const std::span<const std::byte> body = bytes.subspan(wire::kHeaderBytes);
  const std::optional<ShmNote> note =
      decode_note({reinterpret_cast<const char*>(body.data()), body.size()});
  if (!note) return false;
  if (source != kListenerKey) {
    if (hub_) hub_->on_answer(source, *note, now());
    return true;
  }
  const std::optional<std::uint32_t> peer = routing_number(raw.routing_id.bytes());
  if (note->kind != ShmNote::Kind::kAsk || !peer) return false;
  const ShmNote answer = hub_ ? hub_->answer(header.value().job)
                              : ShmNote{ShmNote::Kind::kOff, "the peer has it switched off"};
  Outgoing message = note_message(answer);
  message.ticket = std::make_shared<Ticket>(std::make_shared<SendQueue>());
  touch_on_io(kListenerKey);
  static_cast<void>(send_on(listener_, *peer, std::move(message)));
  return true;
}

}  // namespace dtrain::inline v0::transport
