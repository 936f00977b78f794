#pragma once

#include <csv.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/csv_columns.h"
#include "dtrain/error.h"
#include "dtrain/examples.h"

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
  void end();
  /// Examples that are complete and not taken yet.
  std::size_t count() const { return count_; }
  /// Exchanges `examples` for those read since the last time, maybe none, and uses its memory for
  /// others. Until the header is read it leaves it as it is.
  void take(Examples& examples);
  /// end() and take().
  Examples finish();

 private:
  /// Where the values of a file's column go.
  struct Sink {
    CsvColumn::Use use = CsvColumn::Use::kUnused;
    DType dtype = DType::kFloat32;
    std::size_t width = 0;  // Of the column's feature.
    std::size_t position = 0;
    float scale = 1.0F;
    float* floats = nullptr;  // The first of all examples', of the column's type.
    std::int32_t* classes = nullptr;
    std::int64_t* integers = nullptr;
    Strings* strings = nullptr;
    const std::string* missing = nullptr;
    const CsvColumn* column = nullptr;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  static void field_ended(void* text, std::size_t bytes, void* reader);
  static void row_ended(int terminator, void* reader);

  std::string_view skip_byte_order_mark(std::string_view bytes);
  void parse(std::string_view piece);
  void throw_failure();
  void add_field(std::string_view text);
  void end_row();
  void start(std::vector<std::string> header);
  /// Makes place for `rows` examples, and has the sinks point there.
  void resize(std::size_t rows);
  void add_value(const Sink& sink, std::string_view text);
  void add_float(const Sink& sink, std::string_view text, float& out);
  void add_integer(const Sink& sink, std::string_view text, std::int64_t& out);
  void add_string(const Sink& sink, std::string_view text, std::size_t at);
  void add_class(const Sink& sink, std::string_view text);
  void add_weight(const Sink& sink, std::string_view text);
  /// Keeps the first error of a row, which is reported only when the row has the right number of
  /// fields: otherwise that is what is wrong.
  void reject_value(const Sink& sink, std::string_view text, std::string_view happened,
                    std::string_view advice);
  std::string at_line() const;

  const std::string file_;
  const CsvOptions options_;
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> classes_;
  csv_parser parser_{};
  std::size_t mark_bytes_ = 0;
  std::uint64_t line_ = 1;
  std::exception_ptr failure_;
  std::vector<std::string> header_;
  std::optional<CsvColumns> plan_;
  std::vector<Sink> sinks_;  // One for each column.
  std::size_t row_bytes_ = 0;
  std::uint64_t string_bytes_ = 0;
  std::size_t field_ = 0;
  std::optional<Error> row_error_;
  std::uint64_t total_ = 0;  // Examples that were taken.
  std::size_t count_ = 0;    // Examples since.
  std::size_t capacity_ = 0;
  Examples examples_;
};

}  // namespace dtrain::inline v0::data
