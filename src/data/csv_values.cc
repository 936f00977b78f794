// What a field of a CSV file means in its column.
#include <cmath>

#include "base/strings.h"
#include "data/csv_reader.h"
#include "data/number.h"

namespace dtrain::inline v0::data {

void CsvReader::add_value(const Sink& sink, std::string_view text) {
  switch (sink.use) {
    case CsvColumn::Use::kUnused:
      return;
    case CsvColumn::Use::kWeight:
      return add_weight(sink, text);
    case CsvColumn::Use::kLabel:
      if (options_.label_kind == LabelKind::kClassId) return add_class(sink, text);
      return add_float(sink, text, sink.floats[count_]);
    case CsvColumn::Use::kFeature:
      break;
  }
  const std::size_t at = count_ * sink.width + sink.position;
  switch (sink.dtype) {
    case DType::kInt64:
      return add_integer(sink, text, sink.integers[at]);
    case DType::kString:
      return add_string(sink, text, at);
    default:
      return add_float(sink, text, sink.floats[at]);
  }
}

void CsvReader::add_float(const Sink& sink, std::string_view text, float& out) {
  float value = 0.0F;
  const bool is_missing = text.empty() && sink.missing != nullptr;
  const ParseStatus status = parse_float(is_missing ? *sink.missing : text, value);
  if (status == ParseStatus::kNotANumber) {
    reject_value(sink, text, "is not a number",
                 sink.use == CsvColumn::Use::kFeature
                     ? "Correct it, or leave the column out with CsvOptions::columns"
                     : "Correct it");
    return;
  }
  if (!is_missing) value *= sink.scale;
  if (status == ParseStatus::kOutOfRange || (!std::isfinite(value) && !options_.allow_non_finite)) {
    reject_value(sink, text, "is not a finite float",
                 "Correct it; CsvOptions::allow_non_finite admits nan and inf");
    return;
  }
  out = value;
}

void CsvReader::add_integer(const Sink& sink, std::string_view text, std::int64_t& out) {
  const bool is_missing = text.empty() && sink.missing != nullptr;
  const ParseStatus status = parse_int64(is_missing ? *sink.missing : text, out);
  if (status == ParseStatus::kNotANumber) {
    reject_value(sink, text, "is not an integer", "Correct it, or read the column as floats");
  } else if (status == ParseStatus::kOutOfRange) {
    reject_value(sink, text, "does not fit into 64 bits", "Use smaller ids");
  }
}

void CsvReader::add_string(const Sink& sink, std::string_view text, std::size_t at) {
  if (text.empty()) {
    if (sink.missing == nullptr) return reject_value(sink, text, "", "");
    text = *sink.missing;
  }
  string_bytes_ += text.size();
  sink.strings->set(at, text);
}

void CsvReader::add_class(const Sink& sink, std::string_view text) {
  std::int32_t& id = sink.classes[count_];
  if (!classes_.empty()) {
    const auto found = classes_.find(text);
    if (found == classes_.end()) {
      return reject_value(sink, text, "is no class of CsvOptions::label_vocabulary",
                          "Correct it, or add it to the vocabulary");
    }
    id = found->second;
    return;
  }
  const ParseStatus status = parse_int32(text, id);
  if (status == ParseStatus::kNotANumber) {
    reject_value(sink, text, "is no class id: it is not an integer",
                 "Number the classes from 0, list their names in CsvOptions::label_vocabulary, or "
                 "set label_kind to kValue");
  } else if (status == ParseStatus::kOutOfRange || id < 0) {
    reject_value(sink, text, "is no class id: it is not between 0 and 2147483647",
                 "Number the classes from 0, or set CsvOptions::label_kind to kValue");
  }
}

void CsvReader::add_weight(const Sink& sink, std::string_view text) {
  float weight = 0.0F;
  if (parse_float(text, weight) != ParseStatus::kOk || !std::isfinite(weight) || weight < 0.0F) {
    return reject_value(sink, text, "is no weight", "Give a finite number from 0");
  }
  sink.floats[count_] = weight;
}

void CsvReader::reject_value(const Sink& sink, std::string_view text, std::string_view happened,
                             std::string_view advice) {
  if (row_error_) return;
  const std::string place = base::str_cat(at_line(), ", column ", in_quotes(sink.column->name));
  if (text.empty()) {
    row_error_.emplace(ErrorCode::kInvalidArgument, base::str_cat(place, ": the field is empty"),
                       "Fill it in, remove the line, say with CsvFeature::missing what it counts "
                       "as, or leave the column out");
    return;
  }
  row_error_.emplace(ErrorCode::kInvalidArgument,
                     base::str_cat(place, ": ", in_quotes(text), " ", happened), advice);
}

}  // namespace dtrain::inline v0::data
