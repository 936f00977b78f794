// The first byte chooses: the rest is a whole checkpoint file; or it is an index, and is put into a
// file with as much data as the second byte says and with the right checksums. Whatever it holds,
// the reader gives what fits the file, or an Error that says that it is damaged.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/file_format.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::checkpoint {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

class MemoryFile final : public InputFile {
 public:
  explicit MemoryFile(std::string bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  void read(std::uint64_t offset, std::span<std::byte> out) const override {
    require(offset <= bytes_.size() && out.size() <= bytes_.size() - offset);
    std::memcpy(out.data(), bytes_.data() + offset, out.size());
  }

 private:
  const std::string bytes_;
};

std::string file_around(const std::string& index, std::size_t data_bytes) {
  const std::string header = encode_header();
  return header + std::string(data_bytes, 'd') + index +
         encode_footer(header, index, header.size() + data_bytes);
}

/// Each tensor of at most as many bytes as the file has, whole.
void read_all(const Reader& reader, std::size_t file_bytes) {
  for (const TensorInfo& info : reader.tensors()) {
    require(reader.find(info.name) != nullptr);
    if (info.dtype == DType::kText) {
      require(reader.read_text(info.name).size() <= file_bytes);
      continue;
    }
    const std::uint64_t bytes = element_count(info) * element_bytes(info.dtype);
    require(bytes <= file_bytes);
    std::vector<std::byte> values(bytes);
    reader.read(info.name, 0, values);
  }
}

void run(const std::string& file) {
  try {
    const auto reader = make_file_reader(std::make_unique<MemoryFile>(file), "fuzz");
    read_all(*reader, file.size());
    reader->verify();
  } catch (const Error& error) {
    require(error.code() == ErrorCode::kDataLoss || error.code() == ErrorCode::kUnimplemented);
  }
}

}  // namespace
}  // namespace dtrain::inline v0::checkpoint

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dtrain::checkpoint;
  if (size < 2) return 0;
  const std::string rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  run(data[0] % 2 == 0 ? rest : file_around(rest, data[1]));
  return 0;
}
