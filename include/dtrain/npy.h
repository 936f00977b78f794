#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dtrain/dtype.h"
#include "dtrain/examples.h"
#include "dtrain/export.h"

namespace dtrain::inline v0 {

/// How NumPy's files are read.
struct NpyOptions {
  /// What the elements become. Not set: float32 for floats, int64 for integers and booleans,
  /// strings for text. Integers become floats, and int32 (class ids) where they fit.
  std::optional<DType> dtype = std::nullopt;
  /// The most memory that an array may take.
  std::uint64_t memory_bytes_max = std::uint64_t{8} << 30;
};

/// Reads an array that numpy.save() wrote (format 1 to 3; little-endian float32 and float64,
/// integers up to 64 bits, booleans, bytes (S) and text (U, as UTF-8); C order), plain or gzip. Its
/// first dimension counts examples; the column has the file's name without folder and extension,
/// and one number for each example as the shape {1}. Errors name the file. Throws not_found,
/// unavailable, data_loss (the file is cut off, or longer than its array), resource_exhausted, and
/// invalid_argument for what is no such array, or does not fit the dtype asked for.
DTRAIN_EXPORT Column read_npy(const std::string& path, const NpyOptions& options = {});

/// Reads the arrays that numpy.savez() or savez_compressed() wrote, in the file's order, each with
/// its name in there. Without `names` all of them. Throws also not_found for a name that is not
/// there, which lists those that are.
DTRAIN_EXPORT std::vector<Column> read_npz(const std::string& path,
                                           const std::vector<std::string>& names = {},
                                           const NpyOptions& options = {});

/// Writes a column so that numpy.load() reads it: the examples' number in front of the shape, and
/// strings as bytes (S) of the longest's length, which loses NULs at their ends. Throws
/// invalid_argument when the elements are no whole number of examples, unavailable with the
/// system's reason.
DTRAIN_EXPORT void write_npy(const std::string& path, const Column& column);

}  // namespace dtrain::inline v0
