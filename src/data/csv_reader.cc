#include "data/csv_reader.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include "base/strings.h"
#include "data/number.h"

namespace dtrain::inline v0::data {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
// libcsv sees at most this much at once, so that the limit on a field is checked in time.
constexpr std::size_t kPieceBytesMax = std::size_t{64} * 1024;
constexpr std::size_t kParserBlockBytes = 4096;

}  // namespace

CsvReader::CsvReader(std::string file, CsvOptions options)
    : file_(std::move(file)), options_(std::move(options)) {
  validate(options_);
  if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) != 0) throw std::bad_alloc();
  csv_set_delim(&parser_, static_cast<unsigned char>(options_.delimiter));
  csv_set_blk_size(&parser_, kParserBlockBytes);
}

CsvReader::~CsvReader() { csv_free(&parser_); }

void CsvReader::feed(std::string_view bytes) {
  bytes = skip_byte_order_mark(bytes);
  // Line by line, so that the callbacks know in which line they are.
  while (!bytes.empty()) {
    const std::size_t break_at = bytes.substr(0, kPieceBytesMax).find('\n');
    const bool whole_line = break_at != std::string_view::npos;
    const std::string_view piece = bytes.substr(0, whole_line ? break_at + 1 : kPieceBytesMax);
    parse(piece);
    if (whole_line) ++line_;
    bytes.remove_prefix(piece.size());
  }
}

// The mark may come in several pieces; what began like one and is none is parsed.
std::string_view CsvReader::skip_byte_order_mark(std::string_view bytes) {
  while (mark_bytes_ < kByteOrderMark.size() && !bytes.empty()) {
    if (bytes.front() != kByteOrderMark[mark_bytes_]) {
      const std::string_view withheld = kByteOrderMark.substr(0, mark_bytes_);
      mark_bytes_ = kByteOrderMark.size();
      parse(withheld);
      break;
    }
    ++mark_bytes_;
    bytes.remove_prefix(1);
  }
  return bytes;
}

void CsvReader::parse(std::string_view piece) {
  const std::size_t parsed =
      csv_parse(&parser_, piece.data(), piece.size(), &field_ended, &row_ended, this);
  throw_failure();
  if (parsed != piece.size()) {
    if (csv_error(&parser_) != CSV_EPARSE) throw std::bad_alloc();
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat(at_line(),
                              " has a quote (\") inside a field that is not quoted, or "
                              "text after a closing quote"),
                "Quote the whole field and double the quotes in it: \"say \"\"hi\"\"\"");
  }
  if (csv_get_buffer_size(&parser_) > kCsvFieldBytesMax + kParserBlockBytes + kPieceBytesMax) {
    throw Error(ErrorCode::kResourceExhausted,
                base::str_cat("a field that ends in or after ", at_line(), " is longer than ",
                              kCsvFieldBytesMax, " bytes"),
                "Look for a quote that is not closed; or check that the file is a CSV file");
  }
}

Examples CsvReader::finish() {
  if (mark_bytes_ < kByteOrderMark.size()) parse(kByteOrderMark.substr(0, mark_bytes_));
  const int result = csv_fini(&parser_, &field_ended, &row_ended, this);
  throw_failure();
  if (result != 0) {
    throw Error(ErrorCode::kInvalidArgument, base::str_cat(file_, " ends inside a quoted field"),
                "Close the quote; or the file was cut off: copy it again");
  }
  if (!plan_) {
    throw Error(ErrorCode::kInvalidArgument, base::str_cat(file_, " is empty"),
                "Give a file with column names on its first line and an example on each other");
  }
  if (examples_.count == 0) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat(file_, " has column names but no example"),
                "Add at least one line of values");
  }
  const auto width = static_cast<std::int64_t>(plan_->feature_count);
  examples_.feature_shape = options_.feature_shape.empty() ? Shape{width} : options_.feature_shape;
  examples_.label_kind = options_.label.empty() ? LabelKind::kNone : options_.label_kind;
  if (examples_.label_kind == LabelKind::kValue) examples_.target_shape = {1};
  examples_.features.shrink_to_fit();
  examples_.integer_features.shrink_to_fit();
  examples_.labels.shrink_to_fit();
  examples_.targets.shrink_to_fit();
  return std::move(examples_);
}

void CsvReader::throw_failure() {
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

// libcsv is C: no exception may pass through it.
void CsvReader::field_ended(void* text, std::size_t bytes, void* reader) {
  auto& self = *static_cast<CsvReader*>(reader);
  if (self.failure_) return;
  try {
    self.add_field({static_cast<const char*>(text), bytes});
  } catch (...) {
    self.failure_ = std::current_exception();
  }
}

void CsvReader::row_ended(int /*terminator*/, void* reader) {
  auto& self = *static_cast<CsvReader*>(reader);
  if (self.failure_) return;
  try {
    self.end_row();
  } catch (...) {
    self.failure_ = std::current_exception();
  }
}

void CsvReader::add_field(std::string_view text) {
  if (!plan_) {
    if (header_.size() == kCsvColumnsMax) {
      throw Error(ErrorCode::kResourceExhausted,
                  base::str_cat(file_, " has more than ", kCsvColumnsMax, " columns"),
                  "Check that the file is a CSV file and CsvOptions::delimiter is right");
    }
    header_.emplace_back(text);
    return;
  }
  const std::size_t index = field_++;
  if (index == 0) {
    const std::size_t features = (examples_.count + 1) * plan_->feature_count;
    if (options_.integer_features) {
      examples_.integer_features.resize(features);
    } else {
      examples_.features.resize(features);
    }
  }
  if (index >= plan_->columns.size()) return;
  const CsvColumn& column = plan_->columns[index];
  if (column.use == CsvColumn::kLabel) {
    add_label(column, text);
  } else if (column.use != CsvColumn::kUnused && options_.integer_features) {
    add_integer(column, text);
  } else if (column.use != CsvColumn::kUnused) {
    add_feature(column, text);
  }
}

void CsvReader::end_row() {
  if (!plan_) {
    plan_ = plan_columns(file_, std::exchange(header_, {}), options_);
    return;
  }
  if (field_ != plan_->columns.size()) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat(at_line(), " has ", field_, field_ == 1 ? " field" : " fields",
                              ", expected ", plan_->columns.size(), " as in the header"),
                "Correct the line; a field that holds the delimiter must be quoted");
  }
  if (row_error_) throw *row_error_;
  field_ = 0;
  ++examples_.count;
  const std::uint64_t bytes =
      std::uint64_t{sizeof(float)} * examples_.features.size() +
      std::uint64_t{sizeof(std::int64_t)} * examples_.integer_features.size() +
      std::uint64_t{sizeof(float)} * examples_.count;
  if (bytes > options_.memory_bytes_max) {
    throw Error(
        ErrorCode::kResourceExhausted,
        base::str_cat("the examples of ", file_, " up to line ", line_, " take more than the ",
                      options_.memory_bytes_max, " bytes that CsvOptions::memory_bytes_max allows"),
        "Raise it, select fewer columns, or split the file");
  }
}

void CsvReader::add_feature(const CsvColumn& column, std::string_view text) {
  float value = 0.0F;
  const ParseStatus status = parse_float(text, value);
  if (status == ParseStatus::kNotANumber) {
    reject_value(column, text, "is not a number",
                 "Correct it, or leave the column out with CsvOptions::columns");
    return;
  }
  value *= options_.scale;
  if (status == ParseStatus::kOutOfRange || (!std::isfinite(value) && !options_.allow_non_finite)) {
    reject_value(column, text, "is not a finite float",
                 "Correct it; CsvOptions::allow_non_finite admits nan and inf");
    return;
  }
  const std::size_t row = examples_.count * plan_->feature_count;
  examples_.features[row + static_cast<std::size_t>(column.use)] = value;
}

void CsvReader::add_integer(const CsvColumn& column, std::string_view text) {
  std::int64_t value = 0;
  const ParseStatus status = parse_int64(text, value);
  if (status == ParseStatus::kNotANumber) {
    reject_value(column, text, "is not an integer",
                 "Correct it, or leave CsvOptions::integer_features off");
    return;
  }
  if (status == ParseStatus::kOutOfRange) {
    reject_value(column, text, "does not fit into 64 bits", "Use smaller ids");
    return;
  }
  const std::size_t row = examples_.count * plan_->feature_count;
  examples_.integer_features[row + static_cast<std::size_t>(column.use)] = value;
}

void CsvReader::add_label(const CsvColumn& column, std::string_view text) {
  if (options_.label_kind == LabelKind::kValue) {
    float value = 0.0F;
    const ParseStatus status = parse_float(text, value);
    if (status == ParseStatus::kNotANumber) {
      reject_value(column, text, "is not a number", "Correct the label");
    } else if (status == ParseStatus::kOutOfRange ||
               (!std::isfinite(value) && !options_.allow_non_finite)) {
      reject_value(column, text, "is not a finite float",
                   "Correct it; CsvOptions::allow_non_finite admits nan and inf");
    } else {
      examples_.targets.push_back(value);
    }
    return;
  }
  std::int32_t id = 0;
  const ParseStatus status = parse_int32(text, id);
  if (status == ParseStatus::kNotANumber) {
    reject_value(column, text, "is no class id: it is not an integer",
                 "Number the classes from 0, or set CsvOptions::label_kind to kValue");
  } else if (status == ParseStatus::kOutOfRange || id < 0) {
    reject_value(column, text, "is no class id: it is not between 0 and 2147483647",
                 "Number the classes from 0, or set CsvOptions::label_kind to kValue");
  } else {
    examples_.labels.push_back(id);
  }
}

void CsvReader::reject_value(const CsvColumn& column, std::string_view text,
                             std::string_view happened, std::string_view advice) {
  if (row_error_) return;
  const std::string place = base::str_cat(at_line(), ", column ", in_quotes(column.name));
  if (text.empty()) {
    row_error_.emplace(ErrorCode::kInvalidArgument, base::str_cat(place, ": the field is empty"),
                       "Fill it in, remove the line, or leave the column out");
    return;
  }
  row_error_.emplace(ErrorCode::kInvalidArgument,
                     base::str_cat(place, ": ", in_quotes(text), " ", happened), advice);
}

std::string CsvReader::at_line() const { return base::str_cat(file_, " line ", line_); }

}  // namespace dtrain::inline v0::data
