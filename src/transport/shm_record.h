#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace dtrain::inline v0::transport {

/// Where a frame's bytes are: in the record (`segment` 0) or in a segment, as a lease.
struct ShmFrame {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::uint64_t lease = 0;
  std::uint64_t length = 0;
  std::span<const std::byte> bytes;  ///< Of one in the record; a part of it after decoding.
};

/// What stands in a ring. `docs/transport.md` has the layout.
struct ShmRecord {
  enum class Kind : std::uint32_t {
    kMessage = 1,   ///< `frames`: header and body, then the payload.
    kReleased = 2,  ///< `numbers`: leases that the sender of this record has no use for any more.
    kForget = 3,    ///< `numbers`: segments that the sender will not name again.
  };
  Kind kind = Kind::kMessage;
  std::vector<ShmFrame> frames;
  std::vector<std::uint64_t> numbers;
};

/// Size and kind, in front of each record.
constexpr std::size_t kShmRecordHeaderBytes = 16;
constexpr std::size_t kShmRecordFramesMax = 256;
constexpr std::size_t kShmRecordNumbersMax = 512;

/// How many bytes a frame of `length` takes in a record; 0 for `length` in a segment.
std::size_t shm_frame_bytes(std::size_t length_inline);

/// Writes the record to `out`, whose size becomes the record's: a multiple of 8.
void encode_record(const ShmRecord& record, std::vector<std::byte>& out);

/// Reads a record, which may be anything at all. It must not change meanwhile: copy it first. A
/// protocol error says what is wrong with it; what it names (segments, leases) is the caller's to
/// check.
base::Result<ShmRecord> decode_record(std::span<const std::byte> bytes);

}  // namespace dtrain::inline v0::transport
