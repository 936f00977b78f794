// The first byte chooses the options, and whether the rest is a whole TFRecord file or one message,
// which then gets the right length and checksums. Whatever it holds, reading gives examples that
// fit the options, or a dtrain::Error about the input.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "data/example_parser.h"
#include "data/examples.h"
#include "data/record_reader.h"
#include "dtrain/error.h"

namespace {

using namespace dtrain;

void require(bool condition) {
  if (!condition) std::abort();
}

TfRecordOptions options_of(std::uint8_t bits) {
  TfRecordOptions options{.features = {{"f", DType::kFloat32, {2}}, {"i", DType::kInt64}},
                          .allow_non_finite = (bits & 1) != 0,
                          .record_bytes_max = 4096};
  if (bits & 2) options.features.push_back({"s", DType::kString, {1}, "none"});
  if (bits & 4) options.targets = {{"c", DType::kInt32, {}, "0"}};
  if (bits & 8) options.weight = "w";
  if (bits & 16) {
    options.features[0].missing = "0.5";
    options.features[1].missing = "-1";
  }
  return options;
}

void check(const Examples& examples, std::size_t count, const TfRecordOptions& options) {
  require(examples.weights.size() == (options.weight.empty() ? 0 : count));
  for (const Column& column : examples.features) {
    require(data::elements(column) == count * data::width(column));
    const auto* floats = std::get_if<std::vector<float>>(&column.values);
    if (floats == nullptr || options.allow_non_finite) continue;
    for (const float value : *floats) require(std::isfinite(value));
  }
  for (const Column& column : examples.targets) {
    const auto& classes = std::get<std::vector<std::int32_t>>(column.values);
    require(classes.size() == count);
    for (const std::int32_t id : classes) require(id >= 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size < 1) return 0;
  std::string file(input + 1, input + size);
  if (input[0] & 128) {
    const std::string message = std::exchange(file, "");
    data::append_record(message, file);
    data::append_record(message, file);
  }
  const TfRecordOptions options = options_of(input[0]);
  std::size_t next = 0;
  const auto read = [&](std::span<char> out) {
    const std::size_t count = std::min(out.size(), file.size() - next);
    std::copy_n(file.data() + next, count, out.data());
    next += count;
    return count;
  };
  try {
    data::ExampleParser parser(options);
    data::RecordReader reader("fuzz", read, options.record_bytes_max);
    Examples examples = parser.empty();
    std::size_t count = 0;
    for (std::string_view record; reader.next(record);) {
      parser.add(record, reader, examples);
      check(examples, ++count, options);
    }
    require(next == file.size());
  } catch (const Error& error) {
    require(error.code() == ErrorCode::kInvalidArgument || error.code() == ErrorCode::kDataLoss ||
            error.code() == ErrorCode::kResourceExhausted);
  }
  return 0;
}
