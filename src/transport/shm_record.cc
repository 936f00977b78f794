#include "transport/shm_record.h"

#include <cstring>

#include "base/strings.h"

namespace dtrain::inline v0::transport {
namespace {

constexpr std::size_t kDescriptorBytes = 32;

/// Both ends run on one processor: numbers stand as it has them.
template <typename Integer>
void put(std::vector<std::byte>& out, std::size_t at, Integer value) {
  std::memcpy(out.data() + at, &value, sizeof(value));
}

template <typename Integer>
Integer get(std::span<const std::byte> bytes, std::size_t at) {
  Integer value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

std::size_t padded(std::size_t bytes) { return (bytes + 7) / 8 * 8; }

Error malformed(std::string_view what) {
  return Error(ErrorCode::kProtocol, base::str_cat("a record in shared memory ", what),
               "The sender is broken: restart it with this version of dtrain");
}

base::Status decode_frames(std::span<const std::byte> bytes, std::size_t count, ShmRecord& record) {
  if (count == 0 || count > kShmRecordFramesMax) return malformed("has too many or no frames");
  std::size_t at = kShmRecordHeaderBytes;
  if (bytes.size() - at < count * kDescriptorBytes) return malformed("ends in its descriptors");
  std::size_t data = at + count * kDescriptorBytes;
  record.frames.resize(count);
  for (ShmFrame& frame : record.frames) {
    frame.segment = get<std::uint64_t>(bytes, at);
    frame.offset = get<std::uint64_t>(bytes, at + 8);
    frame.length = get<std::uint64_t>(bytes, at + 16);
    frame.lease = get<std::uint64_t>(bytes, at + 24);
    at += kDescriptorBytes;
    if (frame.segment != 0) continue;
    if (frame.length > bytes.size() - data) return malformed("is shorter than its frames");
    frame.bytes = bytes.subspan(data, static_cast<std::size_t>(frame.length));
    // The size is a multiple of 8, so that padding cannot lead out of the record.
    data += padded(static_cast<std::size_t>(frame.length));
  }
  if (data != bytes.size()) return malformed("is longer than its frames");
  return {};
}

}  // namespace

std::size_t shm_frame_bytes(std::size_t length_inline) {
  return kDescriptorBytes + padded(length_inline);
}

void encode_record(const ShmRecord& record, std::vector<std::byte>& out) {
  const bool message = record.kind == ShmRecord::Kind::kMessage;
  const std::size_t count = message ? record.frames.size() : record.numbers.size();
  std::size_t size = kShmRecordHeaderBytes;
  for (const ShmFrame& frame : record.frames) {
    size += shm_frame_bytes(frame.segment == 0 ? frame.bytes.size() : 0);
  }
  size += record.numbers.size() * sizeof(std::uint64_t);
  out.assign(size, std::byte{0});
  put(out, 0, static_cast<std::uint32_t>(size));
  put(out, 4, static_cast<std::uint32_t>(record.kind));
  put(out, 8, static_cast<std::uint64_t>(count));
  std::size_t at = kShmRecordHeaderBytes;
  std::size_t data = at + record.frames.size() * kDescriptorBytes;
  for (const ShmFrame& frame : record.frames) {
    const bool here = frame.segment == 0;
    put(out, at, frame.segment);
    put(out, at + 8, frame.offset);
    put(out, at + 16, here ? std::uint64_t{frame.bytes.size()} : frame.length);
    put(out, at + 24, frame.lease);
    at += kDescriptorBytes;
    if (!here || frame.bytes.empty()) continue;
    std::memcpy(out.data() + data, frame.bytes.data(), frame.bytes.size());
    data += padded(frame.bytes.size());
  }
  for (const std::uint64_t number : record.numbers) {
    put(out, data, number);
    data += sizeof(number);
  }
}

base::Result<ShmRecord> decode_record(std::span<const std::byte> bytes) {
  if (bytes.size() < kShmRecordHeaderBytes || bytes.size() % 8 != 0 ||
      get<std::uint32_t>(bytes, 0) != bytes.size()) {
    return malformed("has an impossible size");
  }
  ShmRecord record;
  record.kind = static_cast<ShmRecord::Kind>(get<std::uint32_t>(bytes, 4));
  const auto count = get<std::uint64_t>(bytes, 8);
  switch (record.kind) {
    case ShmRecord::Kind::kMessage: {
      const base::Status status = decode_frames(bytes, static_cast<std::size_t>(count), record);
      if (status) return *status;
      return record;
    }
    case ShmRecord::Kind::kReleased:
    case ShmRecord::Kind::kForget:
      if (count > kShmRecordNumbersMax ||
          bytes.size() != kShmRecordHeaderBytes + count * sizeof(std::uint64_t)) {
        return malformed("has another size than its numbers");
      }
      for (std::size_t i = 0; i < count; ++i) {
        record.numbers.push_back(get<std::uint64_t>(bytes, kShmRecordHeaderBytes + 8 * i));
      }
      return record;
  }
  return malformed(base::str_cat("is of the unknown kind ", static_cast<unsigned>(record.kind)));
}

}  // namespace dtrain::inline v0::transport
