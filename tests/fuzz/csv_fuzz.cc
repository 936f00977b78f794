// The first byte chooses the options and the second where pieces end; the rest is a CSV file.
// Whatever it holds, the reader gives whole examples or a dtrain::Error about the input, and the
// same ones when the file is fed in pieces.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "data/csv_reader.h"
#include "data/examples.h"

namespace {

using dtrain::CsvOptions;
using dtrain::DType;
using dtrain::Examples;
using dtrain::LabelKind;
using dtrain::data::CsvReader;

void require(bool condition) {
  if (!condition) std::abort();
}

CsvOptions options_of(std::uint8_t bits) {
  CsvOptions options;
  if (bits & 1) options.label = "";
  if (bits & 2) options.label_kind = LabelKind::kValue;
  if (bits & 4) options.columns = {"b", "a"};
  if (bits & 8) options.delimiter = ';';
  if (bits & 16) options.allow_non_finite = true;
  if (bits & 32) options.scale = -0.5F;
  if (bits & 64) options.memory_bytes_max = 64;
  if (bits & 128) {
    options.features = {{.name = "a", .dtype = DType::kString, .missing = ""},
                        {.name = "b", .dtype = DType::kInt64, .missing = "-1"}};
    options.columns.clear();
    options.scale = 1.0F;
    options.separate_columns = (bits & 4) != 0;
    options.weight = (bits & 32) != 0 ? "w" : "";
    if (!(bits & 3)) options.label_vocabulary = {"no", "yes"};
  }
  return options;
}

struct Outcome {
  Examples examples;
  std::string error;
};

void add(const Examples& some, Examples& all) {
  if (some.features.empty()) return;
  if (all.features.empty()) all = dtrain::data::empty_like(some);
  dtrain::data::append(all, some, 0, some.size());
}

/// Takes what is there after each piece if `take` says so: the limit on memory then holds for a
/// piece.
Outcome read(std::string_view text, const CsvOptions& options, std::size_t piece_bytes, bool take) {
  Outcome outcome;
  try {
    CsvReader reader("fuzz.csv", options);
    Examples taken;
    for (; !text.empty(); text.remove_prefix(std::min(piece_bytes, text.size()))) {
      reader.feed(text.substr(0, piece_bytes));
      if (!take) continue;
      reader.take(taken);
      add(taken, outcome.examples);
    }
    taken = reader.finish();
    add(taken, outcome.examples);
  } catch (const dtrain::Error& error) {
    require(error.code() == dtrain::ErrorCode::kInvalidArgument ||
            error.code() == dtrain::ErrorCode::kResourceExhausted);
    outcome = {.error = error.what()};
  }
  return outcome;
}

template <typename T>
const std::vector<T>& values(const dtrain::Column& column) {
  return std::get<std::vector<T>>(column.values);
}

void check_column(const dtrain::Column& column, std::size_t count, const CsvOptions& options) {
  const std::size_t elements = dtrain::data::elements(column);
  require(elements == count * dtrain::data::width(column));
  if (column.dtype() == DType::kInt32) {
    for (const std::int32_t label : values<std::int32_t>(column)) require(label >= 0);
  }
  if (column.dtype() != DType::kFloat32 || options.allow_non_finite) return;
  for (const float value : values<float>(column)) require(std::isfinite(value));
}

void check(const Examples& examples, const CsvOptions& options) {
  const std::size_t count = examples.size();
  require(count >= 1);
  require(examples.targets.size() == (options.label.empty() ? 0 : 1));
  require(examples.weights.size() == (options.weight.empty() ? 0 : count));
  for (const dtrain::Column& column : examples.features) check_column(column, count, options);
  for (const dtrain::Column& column : examples.targets) check_column(column, count, options);
}

bool equal(const Examples& a, const Examples& b) {
  const auto same = [](const dtrain::Column& x, const dtrain::Column& y) {
    if (x.name != y.name || x.shape != y.shape || x.dtype() != y.dtype()) return false;
    if (x.dtype() == DType::kString) {
      return std::ranges::equal(std::get<dtrain::Strings>(x.values).views(),
                                std::get<dtrain::Strings>(y.values).views());
    }
    if (x.dtype() == DType::kFloat32) {  // Bits: NaN may be among them.
      return std::ranges::equal(values<float>(x), values<float>(y), {},
                                std::bit_cast<std::uint32_t, float>,
                                std::bit_cast<std::uint32_t, float>);
    }
    return x.dtype() == DType::kInt32 ? values<std::int32_t>(x) == values<std::int32_t>(y)
                                      : values<std::int64_t>(x) == values<std::int64_t>(y);
  };
  return std::ranges::equal(a.features, b.features, same) &&
         std::ranges::equal(a.targets, b.targets, same) && a.weights == b.weights;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  if (bytes < 2) return 0;
  const CsvOptions options = options_of(data[0]);
  const std::size_t piece_bytes = 1 + data[1] % 16;
  const std::string text(data + 2, data + bytes);
  const Outcome whole = read(text, options, std::max<std::size_t>(text.size(), 1), false);
  const bool take = (data[1] & 16) != 0 && !(data[0] & 64);
  const Outcome pieces = read(text, options, piece_bytes, take);
  require(whole.error == pieces.error);
  require(equal(whole.examples, pieces.examples));
  if (whole.error.empty()) check(whole.examples, options);
  return 0;
}
