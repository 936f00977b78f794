#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dtrain::inline v0::base {

/// CRC-32C (Castagnoli, RFC 3720 section 12.1: reflected polynomial 0x82F63B78) of what `crc` is
/// the checksum of, followed by `bytes`. Starts at 0. Uses the processor's instruction where it has
/// one.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0);

/// The same from tables alone: what runs where the instruction is missing.
std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t crc = 0);

}  // namespace dtrain::inline v0::base
