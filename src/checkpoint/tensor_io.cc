#include "checkpoint/tensor_io.h"

#include <algorithm>
#include <bit>

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::checkpoint {

static_assert(std::endian::native == std::endian::little,
              "values are stored as they lie in memory");

std::size_t element_bytes(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kInt32:
      return 4;
    case DType::kInt64:
      return 8;
    case DType::kText:
      return 1;
  }
  throw Error(ErrorCode::kInternal, base::str_cat("dtype ", static_cast<int>(dtype)));
}

std::string_view dtype_name(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "float32";
    case DType::kInt32:
      return "int32";
    case DType::kInt64:
      return "int64";
    case DType::kText:
      return "text";
  }
  return "unknown";
}

std::uint64_t element_count(const TensorInfo& info) {
  std::uint64_t count = 1;
  bool fits = true;
  for (const std::int64_t size : info.shape) {
    fits = fits && size >= 0 &&
           !__builtin_mul_overflow(count, static_cast<std::uint64_t>(size), &count);
  }
  std::uint64_t bytes = 0;
  if (!fits || __builtin_mul_overflow(count, element_bytes(info.dtype), &bytes) ||
      bytes > static_cast<std::uint64_t>(INT64_MAX)) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("\"", info.name, "\" has an impossible shape"),
                "Give sizes from 0 whose product 63 bits can count in bytes");
  }
  return count;
}

Slice whole(const TensorInfo& info) { return {0, element_count(info)}; }

const TensorInfo* Reader::find(std::string_view name) const {
  const auto& all = tensors();
  const auto found = std::ranges::lower_bound(all, name, {}, &TensorInfo::name);
  return found != all.end() && found->name == name ? &*found : nullptr;
}

void write_integers(Writer& writer, const std::string& name, std::span<const std::int64_t> values,
                    const Shape& shape) {
  const TensorInfo info{name, DType::kInt64, shape};
  writer.add(info, whole(info));
  writer.append(std::as_bytes(values));
}

void write_integer(Writer& writer, const std::string& name, std::int64_t value) {
  write_integers(writer, name, {&value, 1}, {});
}

void write_text(Writer& writer, const std::string& name, std::string_view text) {
  writer.add({name, DType::kText, {}}, {0, text.size()});
  writer.append(std::as_bytes(std::span(text.data(), text.size())));
}

std::vector<std::int64_t> read_integers(const Reader& reader, const std::string& name,
                                        std::size_t count) {
  const TensorInfo* info = reader.find(name);
  if (!info || info->dtype != DType::kInt64 || element_count(*info) != count) {
    throw Error(ErrorCode::kDataLoss,
                base::str_cat("\"", reader.path(), "\" has no \"", name, "\" of ", count,
                              " 64-bit integers"),
                "It was not written by fit() of this version of dtrain: use another checkpoint");
  }
  std::vector<std::int64_t> values(count);
  reader.read(name, 0, std::as_writable_bytes(std::span(values)));
  return values;
}

std::int64_t read_integer(const Reader& reader, const std::string& name) {
  return read_integers(reader, name, 1).front();
}

}  // namespace dtrain::inline v0::checkpoint
