// ShmSession's outgoing half.
#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "transport/gate.h"
#include "transport/shm_session.h"

namespace dtrain::inline v0::transport {
namespace {

/// From here on a frame in shared memory is lent instead of copied: below, the lease costs more.
constexpr std::size_t kLentBytesMin = 1024;
/// Up to here a frame in ordinary memory goes through the ring: two small copies cost less than a
/// copy and a lease.
constexpr std::size_t kInlineBytesMax = 4096;
/// What one message may take of the ring, so that several fit.
constexpr std::size_t kInlineBudgetBytes = kShmRecordBytesMax / 2 - kShmRecordHeaderBytes;
static_assert(kShmRecordHeaderBytes + kInlineBudgetBytes + 32 * kShmRecordFramesMax <=
              kShmRecordBytesMax);
/// Payload that the peer has not read yet; beyond, messages wait (but for a single larger one).
constexpr std::uint64_t kUnderWayBytesMax = 64 << 20;
/// Messages that the peer has not read yet, as for other transports' receive queues.
constexpr std::size_t kMessagesUnderWayMax = 64;

}  // namespace

void ShmSession::flush() {
  if (state_ != State::kOpen || socket_closed_) return;
  bool room = publish_numbers(ShmRecord::Kind::kReleased, returns_) &&
              publish_numbers(ShmRecord::Kind::kForget, forgotten_);
  while (room && state_ == State::kOpen && !waiting_.empty()) {
    room = publish(waiting_.front());
    if (room) waiting_.pop_front();
  }
  if (state_ == State::kOpen) ring_->want_room(!room);
}

bool ShmSession::sweep() {
  std::erase_if(own_segments_, [&](const auto& entry) {
    if (!entry.second.memory.expired()) return false;
    forgotten_.push_back(entry.second.id);
    return true;
  });
  return !forgotten_.empty();
}

bool ShmSession::drained() {
  if (state_ != State::kOpen || socket_closed_) return true;
  return waiting_.empty() && ring_->peer_read() == ring_->written();
}

bool ShmSession::publish_numbers(ShmRecord::Kind kind, std::vector<std::uint64_t>& numbers) {
  while (!numbers.empty()) {
    const std::size_t count = std::min(numbers.size(), kShmRecordNumbersMax);
    const auto begin = numbers.end() - static_cast<std::ptrdiff_t>(count);
    ShmRecord record;
    record.kind = kind;
    record.numbers.assign(begin, numbers.end());
    if (!put(record)) return false;
    numbers.erase(begin, numbers.end());
  }
  return true;
}

/// Whether the peer has read enough of what is under way for one more message.
bool ShmSession::room_for(std::uint64_t bytes) {
  const std::optional<std::uint64_t> read = ring_->peer_read();
  if (!read) {
    end("the peer's ring is broken");
    return false;
  }
  while (!under_way_.empty() && under_way_.front().end <= *read) {
    bytes_under_way_ -= under_way_.front().bytes;
    under_way_.pop_front();
  }
  return under_way_.size() < kMessagesUnderWayMax &&
         (bytes_under_way_ == 0 || bytes_under_way_ + bytes <= kUnderWayBytesMax);
}

bool ShmSession::describe(std::span<const std::byte> bytes, Frame* frame, Draft& draft) {
  auto place = bytes.size() < kLentBytesMin ? std::nullopt : context_.registry.find(bytes);
  ShmFrame described;
  described.length = bytes.size();
  const std::size_t cost = shm_frame_bytes(bytes.size()) - shm_frame_bytes(0);
  if (!place && bytes.size() <= kInlineBytesMax && cost <= draft.budget) {
    draft.budget -= cost;
    if (frame) draft.copied += bytes.size();
    described.bytes = bytes;
    draft.record.frames.push_back(described);
    return true;
  }
  Frame held = frame ? *frame : Frame{};
  if (!place) place = context_.registry.find(bytes);
  if (!place) {
    base::Result<Frame> copy = context_.staging.copy(bytes);
    if (!copy.ok()) {
      refuse(reason_of(copy.error()));
      return false;
    }
    held = copy.value();
    place = context_.registry.find(held.bytes);
    if (frame) {
      // It stays there if the message has to wait, and its own memory goes back now.
      context_.bytes_staged.fetch_add(bytes.size(), std::memory_order_relaxed);
      *frame = held;
    }
  }
  const std::optional<std::uint64_t> segment = segment_of(place->memory);
  if (!segment) return false;
  described.segment = *segment;
  described.offset = place->offset;
  described.lease = last_lease_ + draft.lent.size() + 1;
  draft.record.frames.push_back(described);
  draft.lent.push_back({std::move(held.hold), std::move(place->memory)});
  return true;
}

bool ShmSession::publish(Outgoing& message) {
  const std::uint64_t bytes = payload_bytes_of(message.payload);
  if (!room_for(bytes)) return false;
  Draft draft{.budget = kInlineBudgetBytes};
  if (!describe(std::as_bytes(std::span(message.first)), nullptr, draft)) return false;
  for (Frame& frame : message.payload) {
    if (!describe(frame.bytes, &frame, draft)) return false;
  }
  if (!put(draft.record)) return false;
  for (Lent& lent : draft.lent) lent_.emplace(++last_lease_, std::move(lent));
  under_way_.push_back({ring_->written(), bytes});
  bytes_under_way_ += bytes;
  context_.bytes_sent.fetch_add(bytes, std::memory_order_relaxed);
  context_.bytes_staged.fetch_add(draft.copied, std::memory_order_relaxed);
  return true;
}

bool ShmSession::put(const ShmRecord& record) {
  encode_record(record, encoded_);
  switch (ring_->put(encoded_)) {
    case ShmRing::Put::kDone:
      if (ring_->must_ring_for_data()) ring(peers_doorbell_);
      return true;
    case ShmRing::Put::kFull:
      return false;
    case ShmRing::Put::kBroken:
      end("the peer's ring is broken");
      return false;
  }
  return false;
}

}  // namespace dtrain::inline v0::transport
