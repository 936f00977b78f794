#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "dtrain/csv.h"

namespace dtrain::inline v0::data {

/// What a column of a CSV file is used for.
struct CsvColumn {
  enum class Use { kUnused, kLabel, kWeight, kFeature };

  std::string name;
  Use use = Use::kUnused;
  std::size_t feature = 0;   ///< Of CsvColumns::features, for kFeature.
  std::size_t position = 0;  ///< Among the feature's columns.
};

/// The columns of a file in its order, from the names on its first line and the options.
struct CsvColumns {
  std::vector<CsvColumn> columns;
  std::vector<CsvFeature> features;  ///< With their columns and shapes filled in.
};

/// Throws invalid_argument that names `file` and lists the columns: a header of numbers only, an
/// unknown, unnamed or repeated column among those used, a column used twice, no feature column, a
/// shape for another number of columns.
CsvColumns plan_columns(const std::string& file, std::vector<std::string> names,
                        const CsvOptions& options);

/// What is wrong with the options themselves, whatever the file. Throws invalid_argument.
void validate(const CsvOptions& options);

}  // namespace dtrain::inline v0::data
