#include "dtrain/npy.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/strings.h"
#include "data/examples.h"
#include "data/gzip_file.h"
#include "data/npy_format.h"
#include "data/number.h"
#include "data/zip_file.h"
#include "dtrain/error.h"

namespace dtrain::inline v0 {

namespace {

constexpr std::string_view kExtension = ".npy";

/// `images` of `folder/images.npy` and `folder/images.npy.gz`.
std::string name_of(const std::string& path) {
  std::filesystem::path file = std::filesystem::path(path).filename();
  if (file.extension() == ".gz") file = file.stem();
  if (file.extension() == kExtension) file = file.stem();
  return file.string();
}

std::string without_extension(const std::string& name) {
  return name.ends_with(kExtension) ? name.substr(0, name.size() - kExtension.size()) : name;
}

/// The header for a column, and its bytes in the file.
std::pair<data::NpyHeader, std::string> encode(const Column& column) {
  data::NpyHeader header;
  const std::size_t count = data::elements(column);
  header.shape = column.shape;
  header.shape.insert(header.shape.begin(), static_cast<std::int64_t>(count / data::width(column)));
  if (const auto* strings = std::get_if<Strings>(&column.values)) {
    header.kind = 'S';
    header.item_bytes = 1;
    for (const std::string_view text : strings->views()) {
      header.item_bytes = std::max(header.item_bytes, text.size());
    }
    std::string bytes;
    bytes.reserve(count * header.item_bytes);
    for (const std::string_view text : strings->views()) {
      bytes.append(text).append(header.item_bytes - text.size(), '\0');
    }
    return {std::move(header), std::move(bytes)};
  }
  header.kind = column.dtype() == DType::kFloat32 ? 'f' : 'i';
  header.item_bytes = data::element_bytes(column.dtype());
  const auto* first = reinterpret_cast<const char*>(data::bytes(column));
  return {header, std::string(first, first + count * header.item_bytes)};
}

}  // namespace

Column read_npy(const std::string& path, const NpyOptions& options) {
  data::GzipFile file(path);
  return data::read_npy_array([&file](std::span<char> out) { return file.read(out); }, path,
                              name_of(path), options);
}

std::vector<Column> read_npz(const std::string& path, const std::vector<std::string>& names,
                             const NpyOptions& options) {
  data::ZipFile archive(path);
  std::vector<std::string> there;
  std::vector<Column> columns;
  for (const data::ZipEntry& entry : archive.entries()) {
    const std::string& name = there.emplace_back(without_extension(entry.name));
    if (!names.empty() && std::ranges::find(names, name) == names.end()) continue;
    columns.push_back(
        data::read_npy_array(archive.open(entry), base::str_cat(path, ": ", name), name, options));
  }
  for (const std::string& name : names) {
    if (std::ranges::find(there, name) != there.end()) continue;
    throw Error(ErrorCode::kNotFound, base::str_cat(path, " has no array ", data::in_quotes(name)),
                base::str_cat("It has ", base::join(there)));
  }
  return columns;
}

void write_npy(const std::string& path, const Column& column) {
  if (data::elements(column) % data::width(column) != 0) {
    throw Error(
        ErrorCode::kInvalidArgument,
        base::str_cat("the column ", data::in_quotes(column.name), " has ", data::elements(column),
                      " elements, and an example ", data::width(column)),
        "Check the column's shape, which is that of one example");
  }
  const auto [header, bytes] = encode(column);
  errno = 0;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << data::format_npy_header(header) << bytes;
  file.close();
  if (!file) {
    throw Error(ErrorCode::kUnavailable,
                base::str_cat("cannot write ", path, ": ", std::generic_category().message(errno)),
                "Check the folder, its permissions and the space left, and try again");
  }
}

}  // namespace dtrain::inline v0
