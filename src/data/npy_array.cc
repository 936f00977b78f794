#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "data/examples.h"
#include "data/npy_format.h"
#include "dtrain/error.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::data {

static_assert(std::endian::native == std::endian::little,
              "arrays are read as they lie in the file");

namespace {

Error invalid(std::string_view happened, std::string_view advice) {
  return Error(ErrorCode::kInvalidArgument, happened, advice);
}

Error cut_off(const std::string& file, std::string_view where) {
  return Error(ErrorCode::kDataLoss, base::str_cat(file, " is cut off: it ends in its ", where),
               "Copy or save the file again");
}

NpyHeader read_header(const ReadBytes& read, const std::string& file) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  char start[8] = {};
  const std::size_t got = read(start);
  if (!std::string_view(start, got).starts_with(kMagic)) {
    throw invalid(base::str_cat(file, " is no NumPy array: it does not begin as one"),
                  "Give a file that numpy.save() wrote");
  }
  const int version = got == sizeof(start) ? static_cast<unsigned char>(start[6]) : 0;
  if (version < 1 || version > 3) {
    throw invalid(base::str_cat(file, " has the format version ", version),
                  "Save it with a NumPy that writes version 1, 2 or 3");
  }
  unsigned char length[4] = {};
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  if (read({reinterpret_cast<char*>(length), length_bytes}) != length_bytes) {
    throw cut_off(file, "header");
  }
  const std::size_t header_bytes = length[0] | static_cast<std::size_t>(length[1]) << 8 |
                                   static_cast<std::size_t>(length[2]) << 16 |
                                   static_cast<std::size_t>(length[3]) << 24;
  constexpr std::size_t kHeaderBytesMax = 65536;
  if (header_bytes > kHeaderBytesMax) {
    throw Error(ErrorCode::kResourceExhausted,
                base::str_cat(file, " has a header of ", header_bytes, " bytes"),
                "Check that numpy.save() wrote the file");
  }
  std::string text(header_bytes, '\0');
  if (read(text) != header_bytes) throw cut_off(file, "header");
  return parse_npy_header(text, file);
}

/// Elements of the whole array. Throws when they take more than the options allow.
std::size_t count_elements(const NpyHeader& header, DType dtype, const std::string& file,
                           std::uint64_t bytes_max) {
  // An array without elements may have huge sizes beside the 0.
  if (std::ranges::count(header.shape, 0) > 0) return 0;
  const std::size_t one = std::max(header.item_bytes, element_bytes(dtype));
  std::uint64_t left = bytes_max / one;
  std::size_t count = 1;
  for (const std::int64_t size : header.shape) {
    if (static_cast<std::uint64_t>(size) > left) {
      throw Error(ErrorCode::kResourceExhausted,
                  base::str_cat(file, " has the shape ", tensor::to_string(header.shape),
                                ", which takes more than the ", bytes_max,
                                " bytes that NpyOptions::memory_bytes_max allows"),
                  "Raise it, or save a part of the array");
    }
    count *= static_cast<std::size_t>(size);
    left /= static_cast<std::uint64_t>(size);
  }
  return count;
}

DType dtype_for(const NpyHeader& header, const std::string& file, const NpyOptions& options) {
  const bool is_text = header.kind == 'S' || header.kind == 'U';
  const DType natural = is_text              ? DType::kString
                        : header.kind == 'f' ? DType::kFloat32
                                             : DType::kInt64;
  const DType wanted = options.dtype.value_or(natural);
  const bool fits = wanted == natural || (natural == DType::kInt64 && wanted != DType::kString);
  if (fits) return wanted;
  throw invalid(base::str_cat(file, " holds ", is_text ? "text" : "floats", ", and is to become ",
                              dtype_name(wanted)),
                "Leave NpyOptions::dtype unset, or convert it in NumPy");
}

/// UTF-8 of `count` code points that are stored in 4 bytes each; NULs at the end are padding.
void decode_text(const char* bytes, std::size_t count, const std::string& file, std::string& out) {
  out.clear();
  std::size_t end = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t point = 0;
    std::memcpy(&point, bytes + 4 * i, 4);
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
      throw invalid(base::str_cat(file, " holds text with the number ", point,
                                  ", which is no Unicode character"),
                    "Save it again");
    }
    const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (point < 0x80) {
      put(point);
    } else if (point < 0x800) {
      put(0xc0 | point >> 6);
      put(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
      put(0xe0 | point >> 12);
      put(0x80 | (point >> 6 & 0x3f));
      put(0x80 | (point & 0x3f));
    } else {
      put(0xf0 | point >> 18);
      put(0x80 | (point >> 12 & 0x3f));
      put(0x80 | (point >> 6 & 0x3f));
      put(0x80 | (point & 0x3f));
    }
    if (point != 0) end = out.size();
  }
  out.resize(end);
}

void append_strings(const NpyHeader& header, std::string_view items, std::size_t count,
                    const std::string& file, Strings& to) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view item = items.substr(i * header.item_bytes, header.item_bytes);
    if (header.kind == 'U') {
      decode_text(item.data(), item.size() / 4, file, text);
      to.add(text);
    } else {
      to.add(item.substr(0, item.find_last_not_of('\0') + 1));
    }
  }
}

template <typename From, typename To>
void append_as(std::string_view items, const std::string& file, std::vector<To>& to) {
  for (std::size_t i = 0; i < items.size(); i += sizeof(From)) {
    From item{};
    std::memcpy(&item, items.data() + i, sizeof(From));
    if constexpr (std::is_same_v<To, std::int32_t>) {
      if (!std::in_range<std::int32_t>(item)) {
        throw invalid(base::str_cat(file, ": element ", to.size(), " is ", +item,
                                    ", which does not fit into int32"),
                      "Leave NpyOptions::dtype unset for int64");
      }
    }
    to.push_back(static_cast<To>(item));
  }
}

template <typename To>
void append_integers(const NpyHeader& header, std::string_view items, const std::string& file,
                     std::vector<To>& to) {
  const bool is_signed = header.kind == 'i';
  switch (header.item_bytes) {
    case 1:
      return is_signed ? append_as<std::int8_t>(items, file, to)
                       : append_as<std::uint8_t>(items, file, to);
    case 2:
      return is_signed ? append_as<std::int16_t>(items, file, to)
                       : append_as<std::uint16_t>(items, file, to);
    case 4:
      return is_signed ? append_as<std::int32_t>(items, file, to)
                       : append_as<std::uint32_t>(items, file, to);
    default:
      return append_as<std::int64_t>(items, file, to);
  }
}

void append_items(const NpyHeader& header, std::string_view items, std::size_t count,
                  const std::string& file, ColumnValues& to) {
  if (auto* strings = std::get_if<Strings>(&to)) {
    append_strings(header, items, count, file, *strings);
  } else if (auto* floats = std::get_if<std::vector<float>>(&to)) {
    if (header.kind != 'f') {
      append_integers(header, items, file, *floats);
    } else if (header.item_bytes == 4) {
      append_as<float>(items, file, *floats);
    } else {
      append_as<double>(items, file, *floats);
    }
  } else if (auto* wide = std::get_if<std::vector<std::int64_t>>(&to)) {
    append_integers(header, items, file, *wide);
  } else {
    append_integers(header, items, file, std::get<std::vector<std::int32_t>>(to));
  }
}

}  // namespace

Column read_npy_array(const ReadBytes& read, const std::string& file, std::string name,
                      const NpyOptions& options) {
  const NpyHeader header = read_header(read, file);
  const DType dtype = dtype_for(header, file, options);
  if (header.shape.empty()) {
    throw invalid(base::str_cat(file, " holds one value and no array"),
                  "Save an array whose first dimension counts the examples");
  }
  const std::size_t count = count_elements(header, dtype, file, options.memory_bytes_max);
  Shape shape(header.shape.begin() + 1, header.shape.end());
  if (shape.empty()) shape = {1};
  if (std::ranges::count(shape, 0) > 0) {
    throw invalid(base::str_cat(file, " has the shape ", tensor::to_string(header.shape),
                                ": its examples have no elements"),
                  "Leave the array out");
  }
  Column column = empty_column({std::move(name), dtype, std::move(shape)});
  // Memory is taken as the file goes on: a header that lies takes none.
  constexpr std::size_t kPieceBytes = std::size_t{256} * 1024;
  const std::size_t item_bytes = header.item_bytes;
  const std::size_t piece_items = std::max<std::size_t>(1, kPieceBytes / item_bytes);
  std::vector<char> piece(std::min(piece_items, count) * item_bytes);
  for (std::size_t done = 0; done < count;) {
    const std::size_t items = std::min(piece_items, count - done);
    const auto bytes = std::span(piece).first(items * item_bytes);
    if (read(bytes) != bytes.size()) throw cut_off(file, "elements");
    append_items(header, {bytes.data(), bytes.size()}, items, file, column.values);
    done += items;
  }
  char more = 0;
  if (read({&more, 1}) != 0) {
    throw Error(ErrorCode::kDataLoss,
                base::str_cat(file, " goes on after its array of the shape ",
                              tensor::to_string(header.shape)),
                "Save each array into a file of its own");
  }
  return column;
}

}  // namespace dtrain::inline v0::data
