#include "data/record_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/crc32c.h"
#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::data {

namespace {

constexpr std::size_t kBufferBytes = std::size_t{256} * 1024;
constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kFooterBytes = 4;

template <typename T>
T little_endian(const char* bytes) {
  T value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) {
    value = static_cast<T>(value << 8 | static_cast<unsigned char>(bytes[i]));
  }
  return value;
}

template <typename T>
void put_little_endian(T value, std::string& out) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<char>(value >> 8 * i));
}

Error damaged(const std::string& place, std::string_view what, std::string_view advice) {
  return Error(ErrorCode::kDataLoss, base::str_cat(place, what), advice);
}

}  // namespace

std::uint32_t masked_crc32c(std::string_view bytes) {
  constexpr std::uint32_t kMask = 0xa282ead8;
  return std::rotr(base::crc32c(std::as_bytes(std::span(bytes))), 15) + kMask;
}

void append_record(std::string_view record, std::string& to) {
  std::string length;
  put_little_endian(std::uint64_t{record.size()}, length);
  to += length;
  put_little_endian(masked_crc32c(length), to);
  to += record;
  put_little_endian(masked_crc32c(record), to);
}

RecordReader::RecordReader(std::string file, ReadBytes read, std::uint64_t record_bytes_max)
    : file_(std::move(file)),
      read_(std::move(read)),
      record_bytes_max_(record_bytes_max),
      buffer_(kBufferBytes) {}

bool RecordReader::next(std::string_view& record) {
  offset_ = next_offset_;
  ++next_number_;
  if (!fill(kHeaderBytes)) {
    if (begin_ == end_) return false;
    throw_cut_off();
  }
  const std::string_view length_bytes(buffer_.data() + begin_, sizeof(std::uint64_t));
  const auto length = little_endian<std::uint64_t>(length_bytes.data());
  const auto length_crc = little_endian<std::uint32_t>(length_bytes.data() + length_bytes.size());
  if (masked_crc32c(length_bytes) != length_crc) {
    throw damaged(place(), " has a length with a wrong checksum",
                  next_number_ == 1 ? "Check that it is a TFRecord file, and copy it again"
                                    : "Copy or make the file again");
  }
  if (length > record_bytes_max_) {
    throw Error(ErrorCode::kResourceExhausted,
                base::str_cat(place(), " is ", length, " bytes long, more than the ",
                              record_bytes_max_, " that are allowed"),
                "Raise TfRecordOptions::record_bytes_max");
  }
  const auto bytes = static_cast<std::size_t>(length);
  if (!fill(kHeaderBytes + bytes + kFooterBytes)) throw_cut_off();
  record = {buffer_.data() + begin_ + kHeaderBytes, bytes};
  if (masked_crc32c(record) != little_endian<std::uint32_t>(record.data() + bytes)) {
    throw damaged(place(), " has a wrong checksum", "Copy or make the file again");
  }
  begin_ += kHeaderBytes + bytes + kFooterBytes;
  next_offset_ += kHeaderBytes + bytes + kFooterBytes;
  return true;
}

bool RecordReader::fill(std::size_t bytes) {
  while (end_ - begin_ < bytes && !at_end_) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
    // Grows with what is there: a length that lies does not take memory.
    if (end_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
    const std::size_t got = read_(std::span(buffer_).subspan(end_));
    at_end_ = got < buffer_.size() - end_;
    end_ += got;
  }
  return end_ - begin_ >= bytes;
}

std::string RecordReader::place() const {
  return base::str_cat(file_, " record ", next_number_ - 1, " (at byte ", offset_, ")");
}

void RecordReader::throw_cut_off() const {
  throw damaged(place(), " is cut off: the file ends in it", "Copy or make the file again");
}

}  // namespace dtrain::inline v0::data
