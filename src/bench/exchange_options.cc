#include "bench/exchange_options.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/strings.h"
#include "bench/exchange_models.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::bench {
namespace {

constexpr std::uint64_t kSizeMax = std::uint64_t{1} << 40;
constexpr int kVariablesMax = 100'000;
constexpr std::int64_t kRowsMax = std::int64_t{1} << 40;
constexpr double kSecondsMax = 3600;
constexpr std::uint32_t kRoundsMax = 1'000'000;

constexpr std::array<std::pair<Workload, std::string_view>, 5> kWorkloads = {
    {{Workload::kPush, "push"},
     {Workload::kPull, "pull"},
     {Workload::kPushPull, "push-pull"},
     {Workload::kRowsPull, "rows-pull"},
     {Workload::kRowsPush, "rows-push"}}};

constexpr std::array<std::pair<GradientType, std::string_view>, 3> kTypes = {
    {{GradientType::kFloat32, "fp32"},
     {GradientType::kFloat16, "fp16"},
     {GradientType::kBFloat16, "bf16"}}};

template <typename Table>
std::string_view name_of(const Table& table, typename Table::value_type::first_type value) {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  return "";
}

template <typename Table>
typename Table::value_type::first_type find(const Table& table, std::string_view text,
                                            std::string_view what) {
  std::vector<std::string_view> names;
  for (const auto& [known, name] : table) {
    if (name == text) return known;
    names.push_back(name);
  }
  throw Error(ErrorCode::kInvalidArgument, base::str_cat("there is no ", what, " \"", text, "\""),
              base::str_cat("There are ", base::join(names)));
}

[[noreturn]] void refuse(const std::string& what, std::string_view advice) {
  throw Error(ErrorCode::kInvalidArgument, what, advice);
}

void validate_variables(const ExchangeOptions& options) {
  if (options.variables < 1 || options.variables > kVariablesMax) {
    refuse(base::str_cat("--variables is ", options.variables),
           base::str_cat("Give 1 to ", kVariablesMax));
  }
  if (options.size_bytes == 0) refuse("--size is 0", "Give at least 4 bytes a variable, as 64M");
  if (options.size_bytes > kSizeMax) {
    refuse(base::str_cat("--size is ", options.size_bytes, " bytes"), "Give at most 1T");
  }
  if (options.size_bytes % sizeof(float) != 0) {
    refuse(base::str_cat("--size is ", options.size_bytes, " bytes, which are no whole floats"),
           "Give a multiple of 4");
  }
  const auto count = static_cast<std::uint64_t>(options.variables);
  if (options.size_bytes / sizeof(float) < count) {
    refuse(base::str_cat("--size is ", options.size_bytes, " bytes, too few for ", count,
                         " variables of at least one float"),
           "Give a larger --size or fewer --variables");
  }
}

void validate_rows(const ExchangeOptions& options) {
  if (options.rows < 1 || options.rows > kRowsMax) {
    refuse(base::str_cat("--rows is ", options.rows), base::str_cat("Give 1 to ", kRowsMax));
  }
  const auto width_max = static_cast<std::int64_t>(options.chunk_bytes / sizeof(float));
  if (options.width < 1 || options.width > width_max) {
    refuse(base::str_cat("--width is ", options.width),
           base::str_cat("Give 1 to ", width_max, " floats a row"));
  }
  if (options.keys < 1 || options.keys > options.rows) {
    refuse(base::str_cat("--keys is ", options.keys, ", and the table has ", options.rows, " rows"),
           "Give 1 to as many keys as there are rows: they are distinct");
  }
}

}  // namespace

std::string_view to_string(Workload workload) { return name_of(kWorkloads, workload); }
std::string_view to_string(GradientType type) { return name_of(kTypes, type); }

Workload parse_workload(std::string_view text) { return find(kWorkloads, text, "workload"); }
GradientType parse_dtype(std::string_view text) { return find(kTypes, text, "gradient type"); }

std::uint64_t parse_size(std::string_view text, std::string_view option) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  std::string suffix(rest, end);
  if (suffix.ends_with("iB")) suffix.resize(suffix.size() - 2);
  constexpr std::string_view kSuffixes = "KMGT";
  const std::size_t power = suffix.size() == 1 ? kSuffixes.find(suffix.front()) : std::string::npos;
  if (error != std::errc() || !(suffix.empty() || power != std::string::npos) || number < 0) {
    refuse(base::str_cat(option, " is \"", text, "\", which is no size"),
           "Write bytes, or a number with K, M or G (of 1024): 4K, 64M, 1G");
  }
  if (!suffix.empty()) number *= std::pow(1024.0, static_cast<double>(power + 1));
  if (number > static_cast<double>(kSizeMax)) {
    refuse(base::str_cat(option, " is \"", text, "\", which is too large"), "Give at most 1T");
  }
  if (number != std::floor(number)) {
    refuse(base::str_cat(option, " is \"", text, "\", which is no whole number of bytes"),
           "Write bytes, or a number with K, M or G (of 1024): 4K, 64M, 1G");
  }
  return static_cast<std::uint64_t>(number);
}

void validate(const ExchangeOptions& options) {
  if (is_rows(options.workload)) {
    validate_rows(options);
  } else if (options.model.empty()) {
    validate_variables(options);
  } else {
    (void)model_variables(options.model);
  }
  if (options.repetitions > kRoundsMax) {
    refuse(base::str_cat("--repetitions is ", options.repetitions),
           base::str_cat("Give at most ", kRoundsMax));
  }
  if (!(options.seconds > 0 && options.seconds <= kSecondsMax)) {
    refuse(base::str_cat("--seconds is ", options.seconds),
           base::str_cat("Give more than 0 and at most ", kSecondsMax));
  }
  if (options.warmup < 1 || options.warmup > kRoundsMax) {
    refuse(base::str_cat("--warmup is ", options.warmup),
           "Give at least 1: the first operation maps memory");
  }
}

std::vector<Variable> variables_of(const ExchangeOptions& options) {
  std::vector<Variable> variables;
  if (!options.model.empty()) {
    variables = model_variables(options.model);
  } else {
    const auto floats = static_cast<std::int64_t>(options.size_bytes / sizeof(float));
    for (std::int64_t i = 0; i < options.variables; ++i) {
      const std::int64_t begin = floats * i / options.variables;
      const std::int64_t end = floats * (i + 1) / options.variables;
      variables.push_back({.name = base::str_cat("variable_", i), .shape = {end - begin}});
    }
  }
  for (Variable& variable : variables) variable.gradient_type = options.dtype;
  return variables;
}

std::uint64_t payload_bytes(const ExchangeOptions& options) {
  if (is_rows(options.workload)) {
    return static_cast<std::uint64_t>(options.keys * options.width) * sizeof(float);
  }
  if (options.model.empty()) return options.size_bytes;
  std::uint64_t floats = 0;
  for (const Variable& variable : model_variables(options.model)) {
    floats += element_count(variable.shape);
  }
  return floats * sizeof(float);
}

std::string describe(const ExchangeOptions& options) {
  std::string text(to_string(options.workload));
  if (is_rows(options.workload)) {
    text += base::str_cat(" of ", options.keys, " rows of ", options.rows, " x ", options.width);
  } else {
    const std::size_t count = variables_of(options).size();
    text += base::str_cat(" of ", binary_size(payload_bytes(options)), " in ", count,
                          count == 1 ? " variable" : " variables",
                          options.model.empty() ? "" : " (" + options.model + ")", ", ",
                          to_string(options.dtype), ", ", options.arena ? "arena" : "own memory");
  }
  return text + (options.asynchronous ? ", asynchronous" : ", synchronous");
}

std::string binary_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 4> kUnits = {" B", " KiB", " MiB", " GiB"};
  std::size_t unit = 0;
  for (; unit + 1 < kUnits.size() && bytes >= 1024 && bytes % 1024 == 0; ++unit) bytes /= 1024;
  return base::str_cat(bytes, kUnits[unit]);
}

}  // namespace dtrain::inline v0::bench
