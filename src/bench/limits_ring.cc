#include "bench/limits_ring.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "base/strings.h"
#include "bench/limits.h"
#include "bench/statistics.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::bench {
namespace {

constexpr std::size_t kSlots = 4;
constexpr std::size_t kSlotsOffset = 4096;
constexpr base::Duration kDeadline = std::chrono::seconds(10);
// Some ten microseconds: about what falling asleep and being woken takes.
constexpr int kSpins = 400;

// A count that one process raises and the other one waits for.
struct Count {
  alignas(128) SharedWord value = 0;
  alignas(128) SharedWord has_sleeper = 0;
};

struct Counts {
  Count written;  // chunks, since the beginning of the sample
  Count read;
};

void raise(Count& count, std::uint32_t value) {
  count.value.store(value);
  if (count.has_sleeper.load() != 0) wake_one(count.value);
}

void wait_for(Count& count, std::uint32_t least, base::TimePoint deadline) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (count.value.load(std::memory_order_acquire) >= least) return;
    pause_spinning();
  }
  // Only the sleeper takes the mark back: were it the other process, it could take away one that
  // was set for the next sleep. Of mark and value each side writes one and then reads the other.
  count.has_sleeper.store(1);
  for (std::uint32_t now = count.value.load(); now < least; now = count.value.load()) {
    sleep_while(count.value, now, deadline);
  }
  count.has_sleeper.store(0);
}

struct Order {
  std::size_t bytes = 0;
  std::size_t chunk = 0;
};

std::size_t ring_bytes(std::size_t chunk_max) { return kSlotsOffset + kSlots * chunk_max; }

// Calls body(slot, offset of the piece, its size, its number from 1).
template <typename Body>
void for_each_piece(const SharedPages& pages, const Order& order, const Body& body) {
  std::uint32_t number = 0;
  for (std::size_t at = 0; at < order.bytes; at += order.chunk) {
    std::byte* slot = pages.data() + kSlotsOffset + (number % kSlots) * order.chunk;
    body(slot, at, std::min(order.chunk, order.bytes - at), ++number);
  }
}

}  // namespace

RingLimit::RingLimit(std::size_t bytes_max, std::size_t chunk_max)
    : chunk_max_(chunk_max),
      source_(bytes_max, 'x'),
      pages_(ring_bytes(chunk_max)),
      child_({.role = "ring",
              .arguments = {std::to_string(bytes_max), std::to_string(chunk_max)},
              .descriptors = {pages_.fd()}}) {}

double RingLimit::sample(std::size_t bytes, std::size_t chunk) {
  if (bytes == 0 || bytes > source_.size() || chunk == 0 || chunk > chunk_max_) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("A ring for ", source_.size(), " bytes in chunks of ", chunk_max_,
                              " was asked for ", bytes, " in chunks of ", chunk),
                "Ask for no more than it was made for");
  }
  auto& counts = *new (pages_.data()) Counts;
  child_.channel().send_value(Order{bytes, chunk});
  child_.channel().receive();  // it has begun to wait
  const base::TimePoint deadline = std::chrono::steady_clock::now() + kDeadline;
  const Stopwatch watch;
  std::uint32_t pieces = 0;
  for_each_piece(pages_, {bytes, chunk},
                 [&](std::byte* slot, std::size_t at, std::size_t size, std::uint32_t number) {
                   if (number > kSlots) wait_for(counts.read, number - kSlots, deadline);
                   std::memcpy(slot, source_.data() + at, size);
                   raise(counts.written, number);
                   pieces = number;
                 });
  wait_for(counts.read, pieces, deadline);
  return watch.seconds();
}

void run_ring_child(ChildSide& side) {
  std::vector<char> target(std::stoull(side.arguments.at(0)), 'y');
  const SharedPages pages(side.descriptors.at(0), ring_bytes(std::stoull(side.arguments.at(1))));
  auto& counts = *reinterpret_cast<Counts*>(pages.data());
  while (const auto order = side.parent.receive_value_or_end<Order>()) {
    side.parent.send("ready");
    const base::TimePoint deadline = std::chrono::steady_clock::now() + kDeadline;
    for_each_piece(pages, *order,
                   [&](std::byte* slot, std::size_t at, std::size_t size, std::uint32_t number) {
                     wait_for(counts.written, number, deadline);
                     std::memcpy(target.data() + at, slot, size);
                     raise(counts.read, number);
                   });
  }
}

}  // namespace dtrain::inline v0::bench
