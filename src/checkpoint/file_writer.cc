#include <algorithm>
#include <set>
#include <utility>

#include "base/crc32c.h"
#include "base/strings.h"
#include "checkpoint/file_format.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::checkpoint {
namespace {

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

class FileWriter final : public Writer {
 public:
  FileWriter(FileSystem& files, const std::string& path)
      : path_(path), file_(files.create(path)), at_(kHeaderBytes) {
    pending_.reserve(kBlockBytes);
    write(as_bytes(encode_header()));
  }

  void add(const TensorInfo& info, Slice slice) override {
    close_slice();
    IndexEntry entry{.info = info, .slice = slice, .offset = at_};
    const bool is_text = info.dtype == DType::kText;
    const std::uint64_t elements = is_text ? slice.count : element_count(info);
    if (info.name.empty() || info.name.size() > kNameBytesMax || info.shape.size() > kRankMax ||
        slice.begin > elements || slice.count > elements - slice.begin ||
        (is_text && (slice.begin != 0 || !info.shape.empty()))) {
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("\"", info.name, "\" cannot be stored: name, shape or slice"));
    }
    if (!known_.emplace(info.name, slice.begin).second) {
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("\"", info.name, "\" is stored twice in \"", path_, "\""),
                  "Give variables names of their own");
    }
    entry.bytes = slice.count * element_bytes(info.dtype);
    entries_.push_back(std::move(entry));
    written_ = 0;
  }

  void append(std::span<const std::byte> bytes) override {
    if (entries_.empty() || bytes.size() > entries_.back().bytes - written_) {
      throw Error(ErrorCode::kInternal, "more bytes than a tensor's slice has");
    }
    while (!bytes.empty()) {
      auto& sums = entries_.back().checksums;
      const std::uint64_t in_block = written_ % kBlockBytes;
      if (in_block == 0) sums.push_back(0);
      const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), kBlockBytes - in_block));
      sums.back() = base::crc32c(piece, sums.back());
      write(piece);
      written_ += piece.size();
      at_ += piece.size();
      bytes = bytes.subspan(piece.size());
    }
  }

  void finish() override {
    close_slice();
    const std::string index = encode_index(entries_);
    write(as_bytes(index));
    write(as_bytes(encode_footer(encode_header(), index, at_)));
    flush();
    file_->sync();
    file_->close();
  }

 private:
  void close_slice() const {
    if (entries_.empty() || written_ == entries_.back().bytes) return;
    throw Error(ErrorCode::kInternal,
                base::str_cat("\"", entries_.back().info.name, "\" got ", written_, " of ",
                              entries_.back().bytes, " bytes"));
  }

  /// Small pieces go together.
  void write(std::span<const std::byte> bytes) {
    if (pending_.size() + bytes.size() > kBlockBytes) flush();
    if (bytes.size() >= kBlockBytes) {
      file_->append(bytes);
    } else {
      pending_.insert(pending_.end(), bytes.begin(), bytes.end());
    }
  }

  void flush() {
    if (!pending_.empty()) file_->append(pending_);
    pending_.clear();
  }

  const std::string path_;
  const std::unique_ptr<OutputFile> file_;
  std::vector<std::byte> pending_;
  std::vector<IndexEntry> entries_;
  std::set<std::pair<std::string, std::uint64_t>> known_;
  std::uint64_t at_;           ///< Where the next slice's bytes go.
  std::uint64_t written_ = 0;  ///< Bytes of the open slice.
};

}  // namespace

std::unique_ptr<Writer> make_file_writer(FileSystem& files, const std::string& path) {
  return std::make_unique<FileWriter>(files, path);
}

}  // namespace dtrain::inline v0::checkpoint
