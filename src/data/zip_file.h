#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "data/record_reader.h"

namespace dtrain::inline v0::data {

/// A file in a ZIP archive.
struct ZipEntry {
  std::string name;
  std::uint16_t method = 0;  ///< 0: as it is; 8: deflate.
  std::uint64_t packed_bytes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;  ///< Of its local header.
};

/// The directory of a ZIP archive, and its files' bytes, as far as numpy.savez() makes use of the
/// format: no encryption, no parts, no ZIP64 (which is for more than 4 GiB). Confined to one thread
/// at a time.
class ZipFile {
 public:
  /// Throws not_found, unavailable, data_loss for what is cut off or contradicts itself, and
  /// invalid_argument for what is no such archive.
  explicit ZipFile(std::string path);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  /// Reads an entry from its beginning; borrows this, which reads one entry at a time. Reading
  /// throws data_loss for damaged data and a wrong checksum is not looked for.
  ReadBytes open(const ZipEntry& entry);

 private:
  std::string read_at(std::uint64_t offset, std::size_t bytes);
  void read_directory();
  [[noreturn]] void throw_damaged(const std::string& what) const;

  const std::string path_;
  std::ifstream file_;
  std::uint64_t size_ = 0;
  std::vector<ZipEntry> entries_;
};

}  // namespace dtrain::inline v0::data
