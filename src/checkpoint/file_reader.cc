#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "base/crc32c.h"
#include "base/strings.h"
#include "checkpoint/file_format.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::checkpoint {
namespace {

class FileReader final : public Reader {
 public:
  FileReader(std::unique_ptr<InputFile> file, std::string path)
      : path_(std::move(path)), file_(std::move(file)) {
    for (IndexEntry& entry : read_index(*file_, path_)) {
      const std::string name = entry.info.name;
      entries_[name].push_back(std::move(entry));
    }
    for (auto& [name, slices] : entries_) {
      check_slices(slices);
      tensors_.push_back(slices.front().info);
    }
  }

  const std::string& path() const override { return path_; }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }

  void read(std::string_view name, std::uint64_t begin, std::span<std::byte> out) const override {
    const std::vector<IndexEntry>& slices = slices_of(name);
    const std::size_t width = element_bytes(slices.front().info.dtype);
    const std::uint64_t count = out.size() / width;
    if (out.size() % width != 0 || begin > slices.back().slice.end() ||
        count > slices.back().slice.end() - begin) {
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("\"", name, "\" has no elements ", begin, " to ", begin + count));
    }
    for (const IndexEntry& entry : slices) {
      const std::uint64_t from = std::max(begin, entry.slice.begin);
      const std::uint64_t to = std::min(begin + count, entry.slice.end());
      if (from >= to) continue;
      read_bytes(entry, (from - entry.slice.begin) * width,
                 out.subspan((from - begin) * width, (to - from) * width));
    }
  }

  std::string read_text(std::string_view name) const override {
    const IndexEntry& entry = slices_of(name).front();
    if (entry.info.dtype != DType::kText) {
      throw Error(ErrorCode::kDataLoss,
                  base::str_cat("\"", name, "\" in \"", path_, "\" is no text"));
    }
    std::string text(entry.bytes, '\0');
    read_bytes(entry, 0, std::as_writable_bytes(std::span(text.data(), text.size())));
    return text;
  }

  void verify() const override {
    std::vector<std::byte> block(kBlockBytes);
    for (const auto& [name, slices] : entries_) {
      for (const IndexEntry& entry : slices) {
        for (std::uint64_t i = 0; i < entry.checksums.size(); ++i) read_block(entry, i, block);
      }
    }
  }

 private:
  /// Slices of a tensor must agree on what it is, and cover it once.
  void check_slices(std::vector<IndexEntry>& slices) const {
    std::ranges::sort(slices, {}, [](const IndexEntry& entry) { return entry.slice.begin; });
    const TensorInfo& info = slices.front().info;
    const bool is_text = info.dtype == DType::kText;
    const std::uint64_t elements = is_text ? slices.front().slice.count : element_count(info);
    std::uint64_t at = 0;
    bool fits = true;
    for (const IndexEntry& entry : slices) {
      fits = fits && entry.info == info && entry.slice.begin == at;
      at = entry.slice.end();
    }
    if (fits && at == elements) return;
    throw Error(ErrorCode::kDataLoss,
                base::str_cat("\"", info.name, "\" in \"", path_,
                              "\" is not whole: slices are missing or overlap"),
                "Delete the file, so that the one before it is used");
  }

  const std::vector<IndexEntry>& slices_of(std::string_view name) const {
    const auto found = entries_.find(name);
    if (found != entries_.end()) return found->second;
    throw Error(ErrorCode::kNotFound, base::str_cat("\"", path_, "\" has no \"", name, "\""),
                "It is a checkpoint of another model: use that model, or another folder");
  }

  /// Reads whole blocks, because only those can be checked.
  void read_bytes(const IndexEntry& entry, std::uint64_t from, std::span<std::byte> out) const {
    std::vector<std::byte> staged;
    while (!out.empty()) {
      const std::uint64_t index = from / kBlockBytes;
      const std::uint64_t start = index * kBlockBytes;
      const std::uint64_t bytes = std::min<std::uint64_t>(kBlockBytes, entry.bytes - start);
      const std::uint64_t wanted = std::min<std::uint64_t>(out.size(), start + bytes - from);
      if (wanted == bytes) {
        read_block(entry, index, out);
      } else {
        staged.resize(kBlockBytes);
        read_block(entry, index, staged);
        std::memcpy(out.data(), staged.data() + (from - start), wanted);
      }
      out = out.subspan(wanted);
      from += wanted;
    }
  }

  void read_block(const IndexEntry& entry, std::uint64_t index, std::span<std::byte> out) const {
    const std::uint64_t start = index * kBlockBytes;
    const auto block = out.first(std::min<std::uint64_t>(kBlockBytes, entry.bytes - start));
    file_->read(entry.offset + start, block);
    if (base::crc32c(block) == entry.checksums[index]) return;
    throw Error(ErrorCode::kDataLoss,
                base::str_cat("\"", entry.info.name, "\" in \"", path_, "\" is damaged at bytes ",
                              entry.offset + start, " to ", entry.offset + start + block.size()),
                "Delete the file, so that the one before it is used, or restore it");
  }

  const std::string path_;
  const std::unique_ptr<InputFile> file_;
  std::map<std::string, std::vector<IndexEntry>, std::less<>> entries_;
  std::vector<TensorInfo> tensors_;
};

}  // namespace

std::unique_ptr<Reader> make_file_reader(std::unique_ptr<InputFile> file, const std::string& path) {
  return std::make_unique<FileReader>(std::move(file), path);
}

}  // namespace dtrain::inline v0::checkpoint
