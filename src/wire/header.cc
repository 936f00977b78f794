#include "wire/header.h"

#include <string>

#include "base/strings.h"

namespace dtrain::inline v0::wire {
namespace {

constexpr std::uint32_t kMagic = 0x4E525444;  // "DTRN" when written little-endian.

template <typename Integer>
void put(std::byte* out, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    out[i] = static_cast<std::byte>((std::uint64_t{value} >> (8 * i)) & 0xFF);
  }
}

template <typename Integer>
Integer get(const std::byte* in) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value |= std::to_integer<std::uint64_t>(in[i]) << (8 * i);
  }
  return static_cast<Integer>(value);
}

Error malformed(const std::string& happened, const char* advice) {
  return Error(ErrorCode::kProtocol, happened, advice);
}

}  // namespace

HeaderBytes encode_header(const Header& header) {
  HeaderBytes bytes;
  put(&bytes[0], kMagic);
  put(&bytes[4], kProtocolVersion);
  put(&bytes[6], header.service);
  put(&bytes[7], header.payload_count);
  put(&bytes[8], header.job);
  put(&bytes[16], header.sender);
  return bytes;
}

base::Result<Header> decode_header(std::span<const std::byte> frame, const HeaderRules& rules) {
  // Magic and version come first: another version may have a header of another length.
  if (frame.size() < 6 || get<std::uint32_t>(&frame[0]) != kMagic) {
    return malformed(base::str_cat("A message of ", frame.size(), " bytes is not dtrain's"),
                     "Something else connects to this port: give dtrain a port of its own");
  }
  const auto version = get<std::uint16_t>(&frame[4]);
  if (version != kProtocolVersion) {
    return malformed(base::str_cat("The peer speaks protocol version ", version,
                                   ", this process speaks ", kProtocolVersion),
                     "Run the same version of dtrain in every process of the job");
  }
  if (frame.size() < kHeaderBytes) {
    return malformed(base::str_cat("A message of ", frame.size(),
                                   " bytes is shorter than its header of ", kHeaderBytes, " bytes"),
                     "The sender is broken: restart it with this version of dtrain");
  }
  Header header;
  header.service = get<std::uint8_t>(&frame[6]);
  header.payload_count = get<std::uint8_t>(&frame[7]);
  header.job = get<std::uint64_t>(&frame[8]);
  header.sender = get<std::uint64_t>(&frame[16]);
  if (!rules.any_job && header.job != rules.job) {
    return Error(
        ErrorCode::kFailedPrecondition,
        base::str_cat("A message of job ", header.job, " reached a process of job ", rules.job),
        "Another job, or an earlier run of this one, uses the same address: end it or "
        "choose other ports");
  }
  if (header.service == 0 || header.service > rules.service_max) {
    return malformed(base::str_cat("A message is for service ", int{header.service},
                                   ", known are 1 to ", int{rules.service_max}),
                     "Run the same version of dtrain in every process of the job");
  }
  if (header.payload_count > rules.payload_count_max) {
    return malformed(base::str_cat("A message announces ", int{header.payload_count},
                                   " payload frames, the limit is ", int{rules.payload_count_max}),
                     "Use the same limits in every process of the job");
  }
  if (header.sender == 0) {
    return malformed("A message names no sender",
                     "The sender is broken: restart it with this version of dtrain");
  }
  return header;
}

}  // namespace dtrain::inline v0::wire
