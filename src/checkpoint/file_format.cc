#include "checkpoint/file_format.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <span>
#include <utility>

#include "base/crc32c.h"
#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::checkpoint {
namespace {

template <typename Integer>
void put(std::string& bytes, Integer value) {
  for (std::size_t i = 0; i < sizeof(value); ++i) {
    bytes += static_cast<char>((static_cast<std::uint64_t>(value) >> (8 * i)) & 0xFF);
  }
}

std::uint32_t checksum(std::string_view bytes, std::uint32_t before = 0) {
  return base::crc32c(std::as_bytes(std::span(bytes.data(), bytes.size())), before);
}

[[noreturn]] void damaged(const std::string& path, const std::string& what) {
  throw Error(ErrorCode::kDataLoss, base::str_cat("\"", path, "\" is no whole checkpoint: ", what),
              "Delete it, so that the one before it is used, or restore the file");
}

/// Takes numbers and names off the front of an index, and never believes a length.
class Cursor {
 public:
  Cursor(std::string_view bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size()) damaged(path_, "its index ends in the middle of an entry");
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }

  template <typename Integer>
  Integer number() {
    std::uint64_t value = 0;
    const std::string_view taken = take(sizeof(Integer));
    for (std::size_t i = 0; i < taken.size(); ++i) {
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(taken[i])) << (8 * i);
    }
    return static_cast<Integer>(value);
  }

  std::size_t left() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
  const std::string& path_;
};

DType checked_dtype(std::uint8_t number, const std::string& name, const std::string& path) {
  const auto dtype = static_cast<DType>(number);
  if (number < static_cast<int>(DType::kFloat32) || number > static_cast<int>(DType::kText)) {
    damaged(path, base::str_cat("\"", name, "\" has the unknown dtype ", int{number}));
  }
  return dtype;
}

/// The bytes that a slice must have, whatever the index says.
std::uint64_t slice_bytes(const IndexEntry& entry, const std::string& path) {
  const auto refuse = [&](const char* what) {
    damaged(path, base::str_cat("\"", entry.info.name, "\" ", what));
  };
  if (entry.info.dtype == DType::kText) {
    if (!entry.info.shape.empty() || entry.slice.begin != 0) refuse("is a text in pieces");
    return entry.slice.count;
  }
  std::uint64_t elements = 0;
  try {
    elements = element_count(entry.info);
  } catch (const Error&) {
    refuse("has an impossible shape");
  }
  if (entry.slice.begin > elements || entry.slice.count > elements - entry.slice.begin) {
    refuse("has elements outside of its shape");
  }
  return entry.slice.count * element_bytes(entry.info.dtype);
}

IndexEntry decode_entry(Cursor& cursor, std::uint64_t offset, std::uint64_t data_end,
                        const std::string& path) {
  IndexEntry entry;
  const auto name_bytes = cursor.number<std::uint32_t>();
  if (name_bytes == 0 || name_bytes > kNameBytesMax) damaged(path, "a tensor's name is too long");
  entry.info.name = cursor.take(name_bytes);
  entry.info.dtype = checked_dtype(cursor.number<std::uint8_t>(), entry.info.name, path);
  const auto rank = cursor.number<std::uint8_t>();
  if (rank > kRankMax)
    damaged(path, base::str_cat("\"", entry.info.name, "\" has rank ", int{rank}));
  for (int i = 0; i < rank; ++i) entry.info.shape.push_back(cursor.number<std::int64_t>());
  entry.slice.begin = cursor.number<std::uint64_t>();
  entry.slice.count = cursor.number<std::uint64_t>();
  entry.offset = offset;
  entry.bytes = slice_bytes(entry, path);
  if (entry.bytes > data_end - offset) {
    damaged(path, base::str_cat("\"", entry.info.name, "\" is longer than the file"));
  }
  const std::uint64_t blocks = entry.bytes / kBlockBytes + (entry.bytes % kBlockBytes != 0 ? 1 : 0);
  if (blocks > cursor.left() / sizeof(std::uint32_t)) damaged(path, "checksums are missing");
  entry.checksums.reserve(blocks);
  for (std::uint64_t i = 0; i < blocks; ++i) {
    entry.checksums.push_back(cursor.number<std::uint32_t>());
  }
  return entry;
}

std::string read_text(const InputFile& file, std::uint64_t offset, std::uint64_t count) {
  std::string bytes(count, '\0');
  file.read(offset, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
  return bytes;
}

}  // namespace

std::string encode_header() {
  std::string bytes(kFileMagic);
  put(bytes, kFileVersion);
  put(bytes, kBlockBytes);
  return bytes;
}

std::string encode_index(const std::vector<IndexEntry>& entries) {
  std::string bytes;
  put(bytes, std::uint64_t{entries.size()});
  for (const IndexEntry& entry : entries) {
    put(bytes, static_cast<std::uint32_t>(entry.info.name.size()));
    bytes += entry.info.name;
    put(bytes, static_cast<std::uint8_t>(entry.info.dtype));
    put(bytes, static_cast<std::uint8_t>(entry.info.shape.size()));
    for (const std::int64_t size : entry.info.shape) put(bytes, size);
    put(bytes, entry.slice.begin);
    put(bytes, entry.slice.count);
    for (const std::uint32_t sum : entry.checksums) put(bytes, sum);
  }
  return bytes;
}

std::string encode_footer(std::string_view header, std::string_view index,
                          std::uint64_t index_offset) {
  std::string bytes;
  put(bytes, index_offset);
  put(bytes, std::uint64_t{index.size()});
  put(bytes, checksum(index));
  put(bytes, checksum(bytes, checksum(header)));
  bytes += kFooterMagic;
  return bytes;
}

std::vector<IndexEntry> decode_index(std::string_view bytes, std::uint64_t data_end,
                                     const std::string& path) {
  Cursor cursor(bytes, path);
  const auto count = cursor.number<std::uint64_t>();
  std::vector<IndexEntry> entries;
  std::uint64_t offset = kHeaderBytes;
  for (std::uint64_t i = 0; i < count; ++i) {
    entries.push_back(decode_entry(cursor, offset, data_end, path));
    offset += entries.back().bytes;
  }
  if (cursor.left() > 0 || offset != data_end) damaged(path, "bytes belong to no tensor");
  return entries;
}

std::vector<IndexEntry> read_index(const InputFile& file, const std::string& path) {
  const std::uint64_t size = file.size();
  if (size < kHeaderBytes + kFooterBytes) {
    damaged(path, base::str_cat("it has ", size, " bytes only"));
  }
  const std::string header = read_text(file, 0, kHeaderBytes);
  if (!header.starts_with(kFileMagic)) damaged(path, "it does not begin like one of dtrain's");
  const std::string footer = read_text(file, size - kFooterBytes, kFooterBytes);
  if (!footer.ends_with(kFooterMagic)) damaged(path, "its end is missing");
  Cursor cursor(footer, path);
  const auto index_offset = cursor.number<std::uint64_t>();
  const auto index_bytes = cursor.number<std::uint64_t>();
  const auto index_checksum = cursor.number<std::uint32_t>();
  const std::string_view covered = std::string_view(footer).substr(0, 20);
  if (cursor.number<std::uint32_t>() != checksum(covered, checksum(header))) {
    damaged(path, "the checksum of its first and last bytes is wrong");
  }
  if (header != encode_header()) {
    throw Error(ErrorCode::kUnimplemented,
                base::str_cat("\"", path, "\" was written by a later version of dtrain"),
                "Use that version");
  }
  if (index_offset < kHeaderBytes || index_offset > size - kFooterBytes ||
      index_bytes != size - kFooterBytes - index_offset) {
    damaged(path, "its index lies outside of it");
  }
  const std::string index = read_text(file, index_offset, index_bytes);
  if (checksum(index) != index_checksum) damaged(path, "the checksum of its index is wrong");
  return decode_index(index, index_offset, path);
}

}  // namespace dtrain::inline v0::checkpoint
