#include "data/zip_file.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include "base/strings.h"
#include "data/number.h"
#include "dtrain/error.h"

// The format: PKWARE's APPNOTE.TXT, sections 4.3.7 (local header), 4.3.12 (central directory) and
// 4.3.16 (its end).
namespace dtrain::inline v0::data {

namespace {

constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kCentralBytes = 46;
constexpr std::size_t kLocalBytes = 30;
constexpr std::size_t kCommentBytesMax = 65535;
constexpr std::uint16_t kDeflate = 8;

template <typename T>
T number_at(std::string_view bytes, std::size_t offset) {
  T value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) {
    value = static_cast<T>(value << 8 | static_cast<unsigned char>(bytes[offset + i]));
  }
  return value;
}
std::uint16_t number16(std::string_view bytes, std::size_t offset) {
  return number_at<std::uint16_t>(bytes, offset);
}
std::uint32_t number32(std::string_view bytes, std::size_t offset) {
  return number_at<std::uint32_t>(bytes, offset);
}

/// An entry's packed bytes on their way out.
struct Unpacking {
  ~Unpacking() {
    if (deflated) inflateEnd(&stream);
  }
  std::uint64_t packed_left = 0;
  std::uint64_t left = 0;
  std::uint64_t offset = 0;
  bool deflated = false;
  z_stream stream{};
  std::string packed;
};

}  // namespace

ZipFile::ZipFile(std::string path) : path_(std::move(path)) {
  std::error_code error;
  if (!std::filesystem::exists(path_, error)) {
    throw Error(ErrorCode::kNotFound, base::str_cat("there is no file ", path_), "Check the path");
  }
  file_.open(path_, std::ios::binary);
  file_.seekg(0, std::ios::end);
  const auto size = file_.tellg();
  if (!file_ || size < 0 || std::filesystem::is_directory(path_, error)) {
    throw Error(ErrorCode::kUnavailable, base::str_cat("cannot read ", path_),
                "Check that it is a file, and its permissions");
  }
  size_ = static_cast<std::uint64_t>(size);
  read_directory();
}

void ZipFile::throw_damaged(const std::string& what) const {
  throw Error(ErrorCode::kDataLoss, base::str_cat(path_, " is damaged: ", what),
              "Copy or save the file again");
}

std::string ZipFile::read_at(std::uint64_t offset, std::size_t bytes) {
  if (offset > size_ || bytes > size_ - offset) throw_damaged("it says more than it holds");
  std::string text(bytes, '\0');
  file_.clear();
  file_.seekg(static_cast<std::streamoff>(offset));
  file_.read(text.data(), static_cast<std::streamsize>(bytes));
  if (!file_) {
    throw Error(ErrorCode::kUnavailable, base::str_cat("cannot read ", path_),
                "Check the disk or the network file system and try again");
  }
  return text;
}

void ZipFile::read_directory() {
  constexpr std::string_view kEndMark("PK\5\6", 4);
  const auto tail_bytes =
      static_cast<std::size_t>(std::min<std::uint64_t>(size_, kEndBytes + kCommentBytesMax));
  const std::string tail = read_at(size_ - tail_bytes, tail_bytes);
  const std::size_t found = tail.rfind(kEndMark);
  if (found == std::string::npos || tail.size() - found < kEndBytes) {
    throw Error(ErrorCode::kInvalidArgument, base::str_cat(path_, " is no ZIP archive"),
                "Give a file that numpy.savez() wrote, or copy it again if it was cut off");
  }
  const std::string_view end = std::string_view(tail).substr(found);
  const std::size_t count = number16(end, 10);
  const std::string directory = read_at(number32(end, 16), number32(end, 12));
  std::string_view rest = directory;
  for (std::size_t i = 0; i < count; ++i) {
    if (rest.size() < kCentralBytes || !rest.starts_with("PK\1\2")) {
      throw_damaged("its directory is cut off");
    }
    ZipEntry entry{.method = number16(rest, 10),
                   .packed_bytes = number32(rest, 20),
                   .bytes = number32(rest, 24),
                   .offset = number32(rest, 42)};
    const std::size_t name_bytes = number16(rest, 28);
    const std::size_t all = kCentralBytes + name_bytes + number16(rest, 30) + number16(rest, 32);
    if (all > rest.size()) throw_damaged("its directory is cut off");
    entry.name = rest.substr(kCentralBytes, name_bytes);
    constexpr std::uint64_t kInZip64 = std::numeric_limits<std::uint32_t>::max();
    const bool is_large =
        entry.bytes == kInZip64 || entry.packed_bytes == kInZip64 || entry.offset == kInZip64;
    const bool is_known = entry.method == 0 || entry.method == kDeflate;
    if (is_large || !is_known || (number16(rest, 8) & 1) != 0) {
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat(in_quotes(entry.name), " in ", path_,
                                " is encrypted, packed in another way than deflate, or larger "
                                "than 4 GiB"),
                  "Save it as .npy");
    }
    entries_.push_back(std::move(entry));
    rest.remove_prefix(all);
  }
}

ReadBytes ZipFile::open(const ZipEntry& entry) {
  const std::string local = read_at(entry.offset, kLocalBytes);
  if (!local.starts_with("PK\3\4")) throw_damaged("an entry is not where its directory says");
  auto state = std::make_shared<Unpacking>();
  state->packed_left = entry.packed_bytes;
  state->left = entry.bytes;
  state->offset = entry.offset + kLocalBytes + number16(local, 26) + number16(local, 28);
  if (entry.method != kDeflate) {
    return [this, state](std::span<char> out) {
      const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), state->left));
      const std::string text = read_at(state->offset, bytes);
      std::ranges::copy(text, out.begin());
      state->offset += bytes;
      state->left -= bytes;
      return bytes;
    };
  }
  // Negative: deflate without a header of its own.
  if (inflateInit2(&state->stream, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
  state->deflated = true;
  return [this, state](std::span<char> out) {
    constexpr std::uint64_t kPieceBytes = std::uint64_t{64} * 1024;
    z_stream& stream = state->stream;
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>({out.size(), state->left, 1U << 30}));
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(wanted);
    while (stream.avail_out > 0) {
      if (stream.avail_in == 0) {
        const auto bytes = static_cast<std::size_t>(std::min(kPieceBytes, state->packed_left));
        if (bytes == 0) throw_damaged("packed data end too early");
        state->packed = read_at(state->offset, bytes);
        state->offset += bytes;
        state->packed_left -= bytes;
        stream.next_in = reinterpret_cast<Bytef*>(state->packed.data());
        stream.avail_in = static_cast<uInt>(bytes);
      }
      const int result = inflate(&stream, Z_NO_FLUSH);
      if (result == Z_STREAM_END && stream.avail_out == 0) break;
      if (result != Z_OK) throw_damaged("packed data cannot be unpacked");
    }
    state->left -= wanted;
    return wanted;
  };
}

}  // namespace dtrain::inline v0::data
