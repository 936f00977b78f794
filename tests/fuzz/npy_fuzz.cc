// The first byte chooses: the rest is the file of a NumPy array, or its header alone, which then
// gets its beginning and some elements; or a ZIP archive of such files. Whatever it holds, reading
// gives whole examples or a dtrain::Error about the input.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>

#include "data/examples.h"
#include "data/npy_format.h"
#include "dtrain/error.h"
#include "dtrain/npy.h"

namespace {

using namespace dtrain;

constexpr std::uint64_t kMemoryBytesMax = 1 << 20;

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const Column& column, const NpyOptions& options) {
  require(!column.shape.empty());
  require(data::elements(column) % data::width(column) == 0);
  require(data::elements(column) * data::element_bytes(column.dtype()) <= kMemoryBytesMax);
  require(!options.dtype || column.dtype() == *options.dtype);
}

std::string file_around(const std::string& header) {
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 0xff);
  file += static_cast<char>(header.size() >> 8);
  return file + header + std::string(24, '\1');
}

void read_array(const std::string& file, const NpyOptions& options) {
  std::size_t next = 0;
  const auto read = [&](std::span<char> out) {
    const std::size_t count = std::min(out.size(), file.size() - next);
    std::copy_n(file.data() + next, count, out.data());
    next += count;
    return count;
  };
  check(data::read_npy_array(read, "fuzz", "fuzz", options), options);
}

void read_archive(const std::string& file, const NpyOptions& options) {
  static const int descriptor = memfd_create("fuzz", MFD_CLOEXEC);
  require(descriptor >= 0 && ftruncate(descriptor, 0) == 0);
  require(pwrite(descriptor, file.data(), file.size(), 0) == static_cast<ssize_t>(file.size()));
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  for (const Column& column : read_npz(path, {}, options)) check(column, options);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size < 1) return 0;
  const std::string rest(input + 1, input + size);
  NpyOptions options{.memory_bytes_max = kMemoryBytesMax};
  if (input[0] & 4) options.dtype = static_cast<DType>(input[0] >> 3 & 3);
  try {
    if (input[0] & 2) {
      read_archive(rest, options);
    } else {
      read_array(input[0] & 1 ? file_around(rest) : rest, options);
    }
  } catch (const Error& error) {
    require(error.code() == ErrorCode::kInvalidArgument || error.code() == ErrorCode::kDataLoss ||
            error.code() == ErrorCode::kResourceExhausted);
  }
  return 0;
}
