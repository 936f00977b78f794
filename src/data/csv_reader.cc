#include "data/csv_reader.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/strings.h"
#include "data/examples.h"

namespace dtrain::inline v0::data {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
// libcsv sees at most this much at once, so that the limit on a field is checked in time.
constexpr std::size_t kPieceBytesMax = std::size_t{64} * 1024;
constexpr std::size_t kParserBlockBytes = 4096;
constexpr std::size_t kRowsMin = 64;

}  // namespace

CsvReader::CsvReader(std::string file, CsvOptions options)
    : file_(std::move(file)), options_(std::move(options)) {
  validate(options_);
  for (const std::string& name : options_.label_vocabulary) {
    classes_.emplace(name, static_cast<std::int32_t>(classes_.size()));
  }
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

void CsvReader::end() {
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
  if (total_ + count_ == 0) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat(file_, " has column names but no example"),
                "Add at least one line of values");
  }
}

void CsvReader::take(Examples& examples) {
  if (!plan_) return;
  if (alike(examples, examples_)) {
    clear(examples);
  } else {
    examples = empty_like(examples_);
  }
  const bool inside_row = field_ > 0;
  if (inside_row) append(examples, examples_, count_, 1);
  resize(count_);
  std::swap(examples_, examples);
  resize(inside_row ? 1 : 0);
  total_ += std::exchange(count_, 0);
  string_bytes_ = 0;
}

Examples CsvReader::finish() {
  end();
  Examples examples;
  take(examples);
  for (std::vector<Column>* columns : {&examples.features, &examples.targets}) {
    for (Column& column : *columns) {
      if (auto* floats = std::get_if<std::vector<float>>(&column.values)) floats->shrink_to_fit();
      if (auto* ids = std::get_if<std::vector<std::int64_t>>(&column.values)) ids->shrink_to_fit();
    }
  }
  return examples;
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

void CsvReader::start(std::vector<std::string> header) {
  plan_ = plan_columns(file_, std::move(header), options_);
  for (const CsvFeature& feature : plan_->features) {
    examples_.features.push_back(empty_column({feature.name, feature.dtype, feature.shape}));
    row_bytes_ += feature.columns.size() * element_bytes(feature.dtype);
  }
  if (!options_.label.empty()) {
    const bool classes = options_.label_kind == LabelKind::kClassId;
    examples_.targets.push_back(
        empty_column(classes ? FeatureInfo{options_.label, DType::kInt32, {}}
                             : FeatureInfo{options_.label, DType::kFloat32, {1}}));
    row_bytes_ += sizeof(float);
  }
  if (!options_.weight.empty()) row_bytes_ += sizeof(float);
  for (const CsvColumn& column : plan_->columns) {
    Sink& sink = sinks_.emplace_back(Sink{.use = column.use, .column = &column});
    if (column.use != CsvColumn::Use::kFeature) continue;
    const CsvFeature& feature = plan_->features[column.feature];
    sink.dtype = feature.dtype;
    sink.width = feature.columns.size();
    sink.position = column.position;
    sink.scale = feature.scale;
    if (feature.missing) sink.missing = &*feature.missing;
  }
}

void CsvReader::resize(std::size_t rows) {
  capacity_ = rows;
  for (Column& column : examples_.features) {
    const std::size_t size = rows * width(column);
    std::visit([size](auto& values) { values.resize(size); }, column.values);
  }
  for (Column& column : examples_.targets) {
    std::visit([rows](auto& values) { values.resize(rows); }, column.values);
  }
  if (!options_.weight.empty()) examples_.weights.resize(rows);
  for (Sink& sink : sinks_) {
    if (sink.use == CsvColumn::Use::kWeight) sink.floats = examples_.weights.data();
    if (sink.use == CsvColumn::Use::kUnused || sink.use == CsvColumn::Use::kWeight) continue;
    Column& column = sink.use == CsvColumn::Use::kLabel ? examples_.targets.front()
                                                        : examples_.features[sink.column->feature];
    if (auto* floats = std::get_if<std::vector<float>>(&column.values)) {
      sink.floats = floats->data();
    } else if (auto* integers = std::get_if<std::vector<std::int64_t>>(&column.values)) {
      sink.integers = integers->data();
    } else if (auto* classes = std::get_if<std::vector<std::int32_t>>(&column.values)) {
      sink.classes = classes->data();
    } else {
      sink.strings = &std::get<Strings>(column.values);
    }
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
  if (index == 0 && count_ == capacity_) resize(std::max(kRowsMin, 2 * capacity_));
  if (index < sinks_.size()) add_value(sinks_[index], text);
}

void CsvReader::end_row() {
  if (!plan_) {
    start(std::exchange(header_, {}));
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
  ++count_;
  if (count_ * row_bytes_ + string_bytes_ > options_.memory_bytes_max) {
    throw Error(
        ErrorCode::kResourceExhausted,
        base::str_cat("the examples of ", file_, " up to line ", line_, " take more than the ",
                      options_.memory_bytes_max, " bytes that CsvOptions::memory_bytes_max allows"),
        "Raise it, select fewer columns, or split the file");
  }
}

std::string CsvReader::at_line() const { return base::str_cat(file_, " line ", line_); }

}  // namespace dtrain::inline v0::data
