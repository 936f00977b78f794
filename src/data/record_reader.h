#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dtrain::inline v0::data {

/// Fills the memory as far as the source goes and returns the bytes; fewer mean its end.
using ReadBytes = std::function<std::size_t(std::span<char>)>;

/// What TFRecord files check their bytes with: CRC-32C, rotated and moved, so that the checksum of
/// data that holds a checksum is a good one too.
std::uint32_t masked_crc32c(std::string_view bytes);

/// Appends a record as it lies in a TFRecord file: 8 bytes of length, little-endian; 4 of their
/// checksum; the record; 4 of its checksum.
void append_record(std::string_view record, std::string& to);

/// Cuts the bytes of a TFRecord file into records. Confined to one thread at a time.
class RecordReader {
 public:
  /// `file` is the name in messages.
  RecordReader(std::string file, ReadBytes read, std::uint64_t record_bytes_max);

  /// The next record, valid until the next call; false at the end of the file. Throws data_loss for
  /// a wrong checksum or an end inside a record, resource_exhausted for a record that is too long,
  /// and what reading throws.
  bool next(std::string_view& record);
  /// `a.tfrecord record 2 (at byte 1234)`: the one that next() gave, for messages. Records count
  /// from 0.
  std::string place() const;

 private:
  /// Whether `bytes` bytes lie at begin_; reads more when they do not yet.
  bool fill(std::size_t bytes);
  [[noreturn]] void throw_cut_off() const;

  const std::string file_;
  const ReadBytes read_;
  const std::uint64_t record_bytes_max_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // What is left of the buffer.
  std::size_t end_ = 0;
  bool at_end_ = false;            // Of the source.
  std::uint64_t next_number_ = 0;  // Of the record after the one at offset_.
  std::uint64_t offset_ = 0;
  std::uint64_t next_offset_ = 0;
};

}  // namespace dtrain::inline v0::data
