#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dtrain/variable.h"

namespace dtrain::inline v0::checkpoint {

/// What a stored tensor's elements are. The numbers stand in files.
enum class DType : std::uint8_t {
  kFloat32 = 1,
  kInt32 = 2,
  kInt64 = 3,
  kText = 4,  ///< One UTF-8 string: a scalar, of any number of bytes, stored in one slice.
};

/// Bytes of an element; 1 for text.
std::size_t element_bytes(DType dtype);
/// "float32", ... Static storage.
std::string_view dtype_name(DType dtype);

struct TensorInfo {
  std::string name;  ///< As TensorFlow would have it: "dense/kernel".
  DType dtype = DType::kFloat32;
  Shape shape;  ///< Of the whole tensor; empty for a scalar.

  bool operator==(const TensorInfo&) const = default;
};

/// A run of a tensor's elements, row-major.
struct Slice {
  std::uint64_t begin = 0;
  std::uint64_t count = 0;

  std::uint64_t end() const { return begin + count; }
};

/// The elements of a tensor of this shape. Throws invalid_argument for a negative size or a number
/// of elements that 64 bits cannot count in bytes.
std::uint64_t element_count(const TensorInfo& info);
/// All of it.
Slice whole(const TensorInfo& info);

/// Writes a checkpoint as a stream, tensor after tensor; no format holds values in memory for it.
/// A tensor may come in several slices, in any order, from one writer or, in formats with a file
/// per writer, from several. Values are little-endian. Confined to one thread.
class Writer {
 public:
  virtual ~Writer() = default;

  /// Opens a slice, after the one before has got all its bytes. A text's slice is {0, bytes}.
  virtual void add(const TensorInfo& info, Slice slice) = 0;
  /// The next bytes of the open slice, as many as the caller likes at a time.
  virtual void append(std::span<const std::byte> bytes) = 0;
  /// Ends the checkpoint and brings it to the disk. Without it what was written is no checkpoint.
  virtual void finish() = 0;
};

/// Reads a checkpoint. What it gives has passed its checksums. Thread-compatible.
class Reader {
 public:
  virtual ~Reader() = default;

  /// Where it lies, for messages.
  virtual const std::string& path() const = 0;
  /// Every tensor, whole, sorted by name.
  virtual const std::vector<TensorInfo>& tensors() const = 0;
  /// Elements from `begin` on; `out` is a whole number of them. Throws not_found for a tensor that
  /// it has not, invalid_argument for a range outside, data_loss for damage.
  virtual void read(std::string_view name, std::uint64_t begin, std::span<std::byte> out) const = 0;
  virtual std::string read_text(std::string_view name) const = 0;
  /// Reads everything once; throws data_loss that names the file and the tensor.
  virtual void verify() const = 0;

  /// Null when there is none.
  const TensorInfo* find(std::string_view name) const;
};

/// Scalars and short vectors, whole.
void write_integers(Writer& writer, const std::string& name, std::span<const std::int64_t> values,
                    const Shape& shape);
void write_integer(Writer& writer, const std::string& name, std::int64_t value);
void write_text(Writer& writer, const std::string& name, std::string_view text);
/// Throw data_loss that names the file when the tensor is missing or not as it was written.
std::vector<std::int64_t> read_integers(const Reader& reader, const std::string& name,
                                        std::size_t count);
std::int64_t read_integer(const Reader& reader, const std::string& name);

}  // namespace dtrain::inline v0::checkpoint
