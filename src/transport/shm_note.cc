#include "transport/shm_note.h"

#include "transport/shm_socket.h"

namespace dtrain::inline v0::transport {
namespace {

constexpr std::size_t kNoteBytesMax = 512;

}  // namespace

std::string encode_note(const ShmNote& note) {
  return static_cast<char>(note.kind) + note.text.substr(0, kNoteBytesMax);
}

std::optional<ShmNote> decode_note(std::string_view body) {
  if (body.empty() || body.size() > 1 + kNoteBytesMax) return {};
  ShmNote note{static_cast<ShmNote::Kind>(body.front()), std::string(body.substr(1))};
  for (char& c : note.text) {
    if (c < ' ' || c > '~') c = '?';  // It goes into logs.
  }
  switch (note.kind) {
    case ShmNote::Kind::kAsk:
    case ShmNote::Kind::kOff:
      return note;
    case ShmNote::Kind::kHere:
      if (is_listener_name(note.text)) return note;
      return {};
  }
  return {};
}

}  // namespace dtrain::inline v0::transport
