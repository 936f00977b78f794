// What every message costs before and behind its payload: header, body, shared-memory record.
#include <fcntl.h>

#include <memory>
#include <span>
#include <string>

#include "path.h"
#include "ps/table.h"
#include "transport/shm_record.h"
#include "transport/shm_ring.h"
#include "wire/header.h"

namespace dtrain::instructions {
namespace {

constexpr int kTimes = 100;

/// Runs `once` so many times that what surrounds it does not count.
void add(std::vector<Path>& paths, const std::string& name, const std::function<bool()>& once) {
  auto failed = std::make_shared<int>(0);
  const auto run = [once, failed] {
    for (int i = 0; i < kTimes; ++i) {
      if (!once()) ++*failed;
    }
  };
  paths.push_back({"message/" + name, run, [failed] { return *failed == 0; }});
}

bool header_round_trip() {
  const wire::HeaderBytes bytes =
      wire::encode_header({.service = 2, .payload_count = 1, .job = 11, .sender = 12});
  const auto header =
      wire::decode_header(bytes, {.job = 11, .service_max = 3, .payload_count_max = 15});
  return header.ok() && header.value().sender == 12;
}

template <typename Message>
bool round_trip(const Message& message) {
  std::string bytes;
  if (!message.SerializeToString(&bytes)) return false;
  Message parsed;
  return parsed.ParseFromString(bytes) && parsed.kind_case() == message.kind_case();
}

ps::pb::Request push_begin() {
  ps::pb::Request request;
  ps::pb::Begin& begin = *request.mutable_begin();
  begin.set_sequence(1000);
  begin.set_kind(ps::pb::Begin::PUSH);
  ps::add_ranges({{0, 1 << 24}}, begin);
  begin.set_weight(64);
  begin.set_pull_id(1000);
  return request;
}

ps::pb::Reply position() {
  ps::pb::Reply reply;
  ps::pb::Position& position = *reply.mutable_position();
  position.set_sequence(1000);
  position.set_next_chunk(64);
  position.set_credit(64);
  position.set_applied(true);
  position.set_version(1000);
  position.set_step(1000);
  return reply;
}

/// Both ends of a shared-memory session in one process.
struct Rings {
  std::shared_ptr<base::SharedMemory> a =
      base::SharedMemory::create(transport::kShmOutboxBytes).value();
  std::shared_ptr<base::SharedMemory> b =
      base::SharedMemory::create(transport::kShmOutboxBytes).value();
  transport::ShmRing at_a{a, map(*b)};
  transport::ShmRing at_b{b, map(*a)};
  std::vector<std::byte> record;
  std::vector<std::byte> got;

  static std::shared_ptr<const base::SharedMemory> map(const base::SharedMemory& memory) {
    return base::SharedMemory::map(fcntl(memory.fd(), F_DUPFD_CLOEXEC, 0),
                                   transport::kShmOutboxBytes)
        .value();
  }
};

/// A push's chunk: header and body in the record, the payload in a segment.
transport::ShmRecord chunk_record() {
  static const std::string first(64, 'x');
  transport::ShmRecord record;
  record.frames.push_back({.length = first.size(), .bytes = std::as_bytes(std::span(first))});
  record.frames.push_back({.segment = 1, .offset = 4096, .lease = 9, .length = 1 << 20});
  return record;
}

bool ring_round_trip(Rings& rings) {
  using transport::ShmRing;
  transport::encode_record(chunk_record(), rings.record);
  if (rings.at_a.put(rings.record) != ShmRing::Put::kDone) return false;
  (void)rings.at_a.must_ring_for_data();
  if (rings.at_b.get(rings.got) != ShmRing::Get::kRecord) return false;
  rings.at_b.free_room();
  const auto record = transport::decode_record(rings.got);
  return record.ok() && record.value().frames.size() == 2 &&
         rings.at_b.get(rings.got) == ShmRing::Get::kEmpty;
}

}  // namespace

void add_message_paths(std::vector<Path>& paths) {
  add(paths, "header/100", header_round_trip);
  add(paths, "begin/100", [request = push_begin()] { return round_trip(request); });
  add(paths, "position/100", [reply = position()] { return round_trip(reply); });
  add(paths, "shared_memory_record/100",
      [rings = std::make_shared<Rings>()] { return ring_round_trip(*rings); });
}

}  // namespace dtrain::instructions
