#pragma once

// dtrain's own checkpoint file, little-endian; docs/checkpoints.md describes it byte by byte.
//
//   header   magic, version, block size
//   data     the slices' bytes, one after the other, without gaps
//   index    name, dtype, shape, run of elements, place and block checksums of each slice
//   footer   place and checksum of the index, checksum of header and footer, magic
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/file_system.h"
#include "checkpoint/tensor_io.h"

namespace dtrain::inline v0::checkpoint {

constexpr std::string_view kFileMagic = "DTRNCKPT";
constexpr std::string_view kFooterMagic = "DTRNCEND";
constexpr std::uint32_t kFileVersion = 1;
/// A checksum covers so many bytes of a slice (the last of a slice fewer).
constexpr std::uint32_t kBlockBytes = 1 << 20;
constexpr std::size_t kHeaderBytes = 16;
constexpr std::size_t kFooterBytes = 32;
constexpr std::size_t kNameBytesMax = 4096;
constexpr std::size_t kRankMax = 32;

/// A slice as the index has it.
struct IndexEntry {
  TensorInfo info;
  Slice slice;
  std::uint64_t offset = 0;  ///< In the file.
  std::uint64_t bytes = 0;
  std::vector<std::uint32_t> checksums;  ///< CRC-32C of each block.
};

std::string encode_header();
std::string encode_index(const std::vector<IndexEntry>& entries);
/// The file's last bytes; `header` and `index` are those before them.
std::string encode_footer(std::string_view header, std::string_view index,
                          std::uint64_t index_offset);

/// What stands in a file: everything but the data is read and checked, with no more memory than
/// the file has bytes. Throws data_loss that names `path`, unimplemented for a later version.
std::vector<IndexEntry> read_index(const InputFile& file, const std::string& path);

/// The same for the bytes of an index alone, whose slices must fill the bytes from the header to
/// `data_end`.
std::vector<IndexEntry> decode_index(std::string_view bytes, std::uint64_t data_end,
                                     const std::string& path);

/// The format's writer and reader. Names of tensors are not empty and at most kNameBytesMax long.
std::unique_ptr<Writer> make_file_writer(FileSystem& files, const std::string& path);
std::unique_ptr<Reader> make_file_reader(std::unique_ptr<InputFile> file, const std::string& path);

}  // namespace dtrain::inline v0::checkpoint
