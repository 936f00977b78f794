#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "data/record_reader.h"
#include "dtrain/examples.h"
#include "dtrain/npy.h"

namespace dtrain::inline v0::data {

/// What the header of a NumPy array says.
struct NpyHeader {
  char kind = 'f';             ///< NumPy's: f, i, u, b, S, U.
  std::size_t item_bytes = 4;  ///< Of one element.
  Shape shape;                 ///< Of the whole array; sizes may be 0.
};

/// Reads the text of a header, a Python dictionary. Throws invalid_argument that begins with
/// `file`: what is no header, Fortran order, and types that are not read.
NpyHeader parse_npy_header(std::string_view text, const std::string& file);
/// Magic, version 1.0 and header of an array, as long as NumPy makes it.
std::string format_npy_header(const NpyHeader& header);

/// Reads an array. `file` is its name in messages, `name` the column's.
Column read_npy_array(const ReadBytes& read, const std::string& file, std::string name,
                      const NpyOptions& options);

}  // namespace dtrain::inline v0::data
