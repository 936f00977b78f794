#pragma once

#include <csv.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/csv_columns.h"
#include "data/examples.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::data {

/// Limits on one file; beyond them reading ends with resource_exhausted.
constexpr std::size_t kCsvFieldBytesMax = std::size_t{1} << 20;
constexpr std::size_t kCsvColumnsMax = std::size_t{1} << 20;

/// Turns the bytes of a CSV file, fed piece by piece, into examples. What Dataset::from_csv says
/// about formats and errors holds here. After an error the reader is of no more use. Confined to
/// one thread.
class CsvReader {
 public:
  /// `file` is the name in messages. Throws invalid_argument for options that are wrong.
  CsvReader(std::string file, CsvOptions options);
  ~CsvReader();
  CsvReader(const CsvReader&) = delete;
  CsvReader& operator=(const CsvReader&) = delete;

  /// The next bytes; where pieces end makes no difference.
  void feed(std::string_view bytes);
  /// The end of the file. Call once.
  Examples finish();

 private:
  static void field_ended(void* text, std::size_t bytes, void* reader);
  static void row_ended(int terminator, void* reader);

  std::string_view skip_byte_order_mark(std::string_view bytes);
  void parse(std::string_view piece);
  void throw_failure();
  void add_field(std::string_view text);
  void end_row();
  void add_feature(const CsvColumn& column, std::string_view text);
  void add_integer(const CsvColumn& column, std::string_view text);
  void add_label(const CsvColumn& column, std::string_view text);
  /// Keeps the first error of a row, which is reported only when the row has the right number of
  /// fields: otherwise that is what is wrong.
  void reject_value(const CsvColumn& column, std::string_view text, std::string_view happened,
                    std::string_view advice);
  std::string at_line() const;

  const std::string file_;
  const CsvOptions options_;
  csv_parser parser_{};
  std::size_t mark_bytes_ = 0;
  std::uint64_t line_ = 1;
  std::exception_ptr failure_;
  std::vector<std::string> header_;
  std::optional<CsvColumns> plan_;
  std::size_t field_ = 0;
  std::optional<Error> row_error_;
  Examples examples_;
};

}  // namespace dtrain::inline v0::data
