#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace dtrain::inline v0::wire {

/// The first bytes of every message: who speaks, for which job, and what follows. Little-endian.
///
///   offset  bytes  field
///        0      4  magic, "DTRN"
///        4      2  protocol version
///        6      1  service
///        7      1  number of payload frames
///        8      8  job
///       16      8  incarnation of the sender, not 0
///       24         the service's own body follows in the same frame
struct Header {
  std::uint8_t service = 0;
  std::uint8_t payload_count = 0;
  std::uint64_t job = 0;
  std::uint64_t sender = 0;
};

constexpr std::size_t kHeaderBytes = 24;
constexpr std::uint16_t kProtocolVersion = 3;

using HeaderBytes = std::array<std::byte, kHeaderBytes>;

/// What a receiver accepts.
struct HeaderRules {
  std::uint64_t job = 0;
  std::uint8_t service_max = 0;  ///< Services are numbered from 1.
  std::uint8_t payload_count_max = 0;
  bool any_job = false;
};

HeaderBytes encode_header(const Header& header);

/// Reads a header from the start of `frame`, which may be anything at all. A `protocol` error says
/// what is wrong (too short, not dtrain, another version, unknown service, too many frames, no
/// sender). A well-formed header of another job is a `failed_precondition` error: the sender is
/// sane, but not ours.
base::Result<Header> decode_header(std::span<const std::byte> frame, const HeaderRules& rules);

}  // namespace dtrain::inline v0::wire
