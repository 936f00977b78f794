#include "transport/shm_session.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "transport/gate.h"

namespace dtrain::inline v0::transport {
namespace {

/// Records taken in one turn, so that no peer starves the others.
constexpr int kBatchRecords = 32;
/// What receivers may rely on, whatever the transport.
constexpr std::uintptr_t kPayloadAlignment = 8;

}  // namespace

std::string reason_of(const Error& error) {
  std::string text = base::without_code(error.what());
  while (text.ends_with('.')) text.pop_back();
  return text;
}

ShmSession::ShmSession(std::uint64_t number, LinkId link, Fd socket, ShmContext& context,
                       ShmSessionOwner& owner)
    : number_(number),
      link_(link == kNoLink ? kInboundBit | kSharedBit | number : link),
      outgoing_(link != kNoLink),
      context_(context),
      owner_(owner),
      socket_(std::move(socket)) {}

void ShmSession::end(std::string reason) {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  reason_ = std::move(reason);
  if (ring_ && !lent_.empty()) ring_->abandon();
  // The peer sees at once that nobody is here any more, even if a forked child has the socket too.
  if (socket_.get() >= 0) ::shutdown(socket_.get(), SHUT_RDWR);
  socket_.reset();
  lent_.clear();
  owner_.on_session_changed(*this);
}

void ShmSession::send(Outgoing message) {
  waiting_.push_back(std::move(message));
  if (waiting_.size() == 1) flush();
}

bool ShmSession::read_socket() {
  while (state_ != State::kEnded && !socket_closed_) {
    Packet packet;
    switch (receive_packet(socket_, packet)) {
      case PacketStatus::kDone:
        on_packet(std::move(packet));
        break;
      case PacketStatus::kWouldWait:
        return true;
      case PacketStatus::kClosed:
        socket_closed_ = true;
        break;
      case PacketStatus::kTruncated:
        refuse("a packet was too long, or this process may open no more descriptors");
        break;
    }
  }
  return state_ != State::kEnded;
}

void ShmSession::on_socket() {
  if (!read_socket()) return;
  if (socket_closed_ && state_ == State::kShaking) {
    peer_left_ = true;
    end("the peer has closed the connection");
  }
}

bool ShmSession::pump() {
  if (state_ != State::kOpen) return false;
  bool more = true;
  for (int i = 0; i < kBatchRecords && more && state_ == State::kOpen; ++i) {
    if (ring_->peer_abandoned()) {
      peer_left_ = true;
      end("the peer has closed the link");
      break;
    }
    switch (ring_->get(record_)) {
      case ShmRing::Get::kRecord:
        on_record(record_);
        break;
      case ShmRing::Get::kEmpty:
        more = false;
        break;
      case ShmRing::Get::kBroken:
        end("the peer's ring is broken");
        break;
    }
  }
  if (state_ != State::kOpen) return false;
  if (socket_closed_ && !more) {
    // All that it wrote has been read: this was the end.
    peer_left_ = true;
    end("the peer is gone");
    return false;
  }
  ring_->free_room();
  if (ring_->must_ring_for_room()) ring(peers_doorbell_);
  flush();
  return more && state_ == State::kOpen;
}

void ShmSession::on_record(std::span<const std::byte> bytes) {
  const base::Result<ShmRecord> record = decode_record(bytes);
  if (!record.ok()) {
    end(reason_of(record.error()));
    return;
  }
  switch (record.value().kind) {
    case ShmRecord::Kind::kMessage:
      on_message(record.value());
      break;
    case ShmRecord::Kind::kReleased:
      on_released(record.value().numbers);
      break;
    case ShmRecord::Kind::kForget:
      for (const std::uint64_t id : record.value().numbers) {
        if (peers_segments_.erase(id) == 0) end("the peer forgets a segment that it never had");
      }
      break;
  }
}

void ShmSession::on_message(const ShmRecord& record) {
  std::vector<Frame> payload;
  std::optional<Frame> first;
  for (const ShmFrame& frame : record.frames) {
    std::optional<Frame> received;
    if (!first && frame.segment == 0) {
      received = Frame{frame.bytes, nullptr};  // The record lasts until the message is delivered.
    } else {
      received = receive_frame(frame);
    }
    if (!received) {
      refuse("a process names memory that it has not handed over");
      return;
    }
    if (!first) {
      first = std::move(received);
    } else {
      context_.bytes_received.fetch_add(received->bytes.size(), std::memory_order_relaxed);
      payload.push_back(std::move(*received));
    }
  }
  owner_.on_session_message(*this, first->bytes, std::move(payload));
}

std::optional<Frame> ShmSession::receive_frame(const ShmFrame& frame) {
  if (frame.segment == 0) return copy_frame(frame.bytes);
  auto found = peers_segments_.find(frame.segment);
  if (found == peers_segments_.end()) {
    // It was sent before the record was, over the socket, and may not have been read yet.
    if (!read_socket()) return {};
    found = peers_segments_.find(frame.segment);
    if (found == peers_segments_.end()) return {};
  }
  const std::span<const std::byte> whole = found->second->bytes();
  if (frame.offset > whole.size() || frame.length > whole.size() - frame.offset) return {};
  const std::span<const std::byte> bytes =
      whole.subspan(static_cast<std::size_t>(frame.offset), static_cast<std::size_t>(frame.length));
  std::shared_ptr<const void> hold = context_.desk->hold(number_, frame.lease, found->second);
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kPayloadAlignment != 0) {
    return copy_frame(bytes);
  }
  return Frame{bytes, std::move(hold)};
}

void ShmSession::on_released(const std::vector<std::uint64_t>& leases) {
  for (const std::uint64_t lease : leases) {
    const auto found = lent_.find(lease);
    if (found == lent_.end()) {
      end("the peer returns what it was not lent");
      return;
    }
    lent_.erase(found);
  }
}

bool ShmSession::try_sleep() {
  // Of a peer that is gone nothing rings any more: what it wrote is read to the end first.
  return state_ != State::kOpen || (!socket_closed_ && ring_->try_sleep());
}

void ShmSession::wake() {
  if (state_ == State::kOpen) ring_->wake();
}

}  // namespace dtrain::inline v0::transport
