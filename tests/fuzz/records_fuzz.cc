// What a peer may write into a ring of shared memory, against what is read out of it; and what
// peers say to each other over the network before.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "transport/shm_note.h"
#include "transport/shm_record.h"

namespace {

using dtrain::transport::ShmFrame;
using dtrain::transport::ShmRecord;

void require(bool condition) {
  if (!condition) std::abort();
}

/// What was let in names bytes of the record only, and says the same when it is written again.
void check(const ShmRecord& record, std::span<const std::byte> bytes) {
  require(record.frames.size() <= dtrain::transport::kShmRecordFramesMax);
  require(record.numbers.size() <= dtrain::transport::kShmRecordNumbersMax);
  for (const ShmFrame& frame : record.frames) {
    if (frame.segment != 0 || frame.bytes.empty()) continue;
    require(frame.bytes.size() == frame.length);
    require(frame.bytes.data() >= bytes.data());
    require(frame.bytes.data() + frame.bytes.size() <= bytes.data() + bytes.size());
  }
  std::vector<std::byte> again;
  dtrain::transport::encode_record(record, again);
  const auto decoded = dtrain::transport::decode_record(again);
  require(decoded.ok() && again.size() == bytes.size());
  require(decoded.value().numbers == record.numbers);
  require(std::ranges::equal(
      decoded.value().frames, record.frames, [](const ShmFrame& a, const ShmFrame& b) {
        return a.segment == b.segment && a.offset == b.offset && a.length == b.length &&
               a.lease == b.lease && std::ranges::equal(a.bytes, b.bytes);
      }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy at its own address: reading beyond it shows.
  const std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(data),
                                     reinterpret_cast<const std::byte*>(data) + size);
  const auto record = dtrain::transport::decode_record(bytes);
  if (record.ok()) check(record.value(), bytes);
  const auto note = dtrain::transport::decode_note({reinterpret_cast<const char*>(data), size});
  if (note) require(dtrain::transport::decode_note(encode_note(*note)).has_value());
  return 0;
}
