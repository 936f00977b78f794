#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dtrain::inline v0::transport {

/// What the endpoints of two processes say to each other over the network, as Service::kTransport,
/// before they share memory.
struct ShmNote {
  enum class Kind : std::uint8_t { kAsk = 1, kHere = 2, kOff = 3 };
  Kind kind = Kind::kAsk;
  std::string text;  ///< kHere: the name of a Unix socket. kOff: why.
};
std::string encode_note(const ShmNote& note);
/// Nothing for bytes that are no note.
std::optional<ShmNote> decode_note(std::string_view body);

}  // namespace dtrain::inline v0::transport
