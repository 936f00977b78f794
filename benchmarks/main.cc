// The main() of every program of benchmarks. Beside what Google Benchmark does, a case that fails
// its checks and a filter that matches nothing make the program fail.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/strings.h"
#include "bench/limits.h"
#include "program.h"

namespace dtrain::benchmarks {
namespace {

constexpr int kSamplesMax = 100'000;

// Newer versions of Google Benchmark tell it in another way.
template <typename Run>
bool has_failed(const Run& run) {
  if constexpr (requires { run.error_occurred; }) {
    return run.error_occurred;
  } else {
    return static_cast<int>(run.skipped) != 0;
  }
}

// Counts the failures among the results that it hands on.
class FailureCounter final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& context) override { return inner_->ReportContext(context); }
  void ReportRuns(const std::vector<Run>& runs) override {
    failures_ += std::count_if(runs.begin(), runs.end(), has_failed<Run>);
    // The same for all of them, and no part of a case's name.
    std::vector<Run> named = runs;
    for (Run& run : named) {
      run.run_name.iterations.clear();
      run.run_name.time_type.clear();
    }
    inner_->ReportRuns(named);
  }
  void Finalize() override { inner_->Finalize(); }

  long failures() const { return failures_; }

 private:
  const std::unique_ptr<benchmark::BenchmarkReporter> inner_{
      benchmark::CreateDefaultDisplayReporter()};
  long failures_ = 0;
};

struct Arguments {
  ProgramOptions options;
  std::vector<char*> rest;  // for Google Benchmark
};

/// Of `--samples=N`; nothing for another argument. Throws std::invalid_argument for no such number.
std::optional<int> samples_in(std::string_view argument) {
  constexpr std::string_view kOption = "--samples=";
  if (!argument.starts_with(kOption)) return std::nullopt;
  const std::string_view number = argument.substr(kOption.size());
  int samples = 0;
  const auto [end, error] = std::from_chars(number.begin(), number.end(), samples);
  if (error != std::errc() || end != number.end() || samples < 1 || samples > kSamplesMax) {
    throw std::invalid_argument(
        base::str_cat(argument, " is no number of samples; give 1 to ", kSamplesMax));
  }
  return samples;
}

Arguments split(int argc, char** argv) {
  // A table is easier to read; --benchmark_counters_tabular=false takes it back.
  static char tabular[] = "--benchmark_counters_tabular=true";
  Arguments arguments;
  arguments.rest = {argv[0], tabular};
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--small") {
      arguments.options.small = true;
    } else if (const auto samples = samples_in(argv[i])) {
      arguments.options.samples = *samples;
    } else {
      arguments.rest.push_back(argv[i]);
    }
  }
  return arguments;
}

int run(int argc, char** argv) {
  std::vector<bench::ChildRole> roles = child_roles();
  roles.insert(roles.end(), bench::limit_roles().begin(), bench::limit_roles().end());
  if (const auto status = bench::run_child_role(argc, argv, roles)) return *status;

  Arguments arguments = split(argc, argv);
  int count = static_cast<int>(arguments.rest.size());
  benchmark::Initialize(&count, arguments.rest.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.rest.data())) return 2;
  register_benchmarks(arguments.options);
  FailureCounter reporter;
  const std::size_t cases = benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  if (cases == 0) std::cerr << argv[0] << ": no case matches the filter\n";
  if (reporter.failures() != 0) {
    std::cerr << argv[0] << ": " << reporter.failures() << " failed; each says why in its line\n";
  }
  return cases == 0 || reporter.failures() != 0 ? 1 : 0;
}

}  // namespace
}  // namespace dtrain::benchmarks

int main(int argc, char** argv) {
  try {
    return dtrain::benchmarks::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << argv[0] << ": " << error.what() << "\n";
    return 1;
  }
}
