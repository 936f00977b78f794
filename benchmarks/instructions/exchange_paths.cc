// A step's exchange between a worker and a server, from the call to the last acknowledgement:
// Client, Gate, wire format, Server, Shard and the optimizer's kernel.
#include <algorithm>
#include <cstdint>
#include <memory>

#include "base/philox.h"
#include "job.h"
#include "path.h"

namespace dtrain::instructions {
namespace {

constexpr std::int64_t kKibibyte = 1024 / sizeof(float);
constexpr std::int64_t kMebibyte = 1024 * kKibibyte;

void add(std::vector<Path>& paths, const std::string& size, const JobOptions& options) {
  auto job = std::make_shared<Job>(options);
  std::ranges::fill(job->gradients(), 1.0F);
  auto failed = std::make_shared<int>(0);
  auto pushes = std::make_shared<std::uint64_t>(0);
  // Learning rate 1 and gradients of 1: each update takes 1 from every element.
  const auto right = [job, failed, pushes] {
    if (*failed > 0 || job->version() != *pushes || !job->pull()) return false;
    const float expected = -static_cast<float>(*pushes);
    return std::ranges::all_of(job->values(), [&](float value) { return value == expected; });
  };
  const auto push = [job, failed, pushes] {
    if (!job->push()) ++*failed;
    ++*pushes;
  };
  const auto pull = [job, failed] {
    if (!job->pull()) ++*failed;
  };
  const auto push_pull = [job, failed, pushes] {
    if (!job->push_pull()) ++*failed;
    ++*pushes;
  };
  paths.push_back({"push/" + size, push, right});
  paths.push_back({"pull/" + size, pull, right});
  paths.push_back({"push_pull/" + size, push_pull, right});
}

struct Rows {
  Rows()
      : job({.variables = Job::equal_variables(1, 16),
             .tables =
                 {{.name = "table", .rows = 1'000'000, .width = kWidth, .initializer = Zeros{}}},
             .optimizer = Sgd{.learning_rate = 1.0F}}),
        keys(kKeys),
        gradients(kKeys * kWidth, 1.0F),
        values(kKeys * kWidth) {
    base::PhiloxStream random(7);
    for (std::uint64_t& key : keys) key = random.below(1'000'000);
  }
  static constexpr std::size_t kKeys = 10'000;
  static constexpr std::int64_t kWidth = 16;
  Job job;
  std::vector<std::uint64_t> keys;
  std::vector<float> gradients;
  std::vector<float> values;
  int pushes = 0;
  int failed = 0;
};

}  // namespace

void add_exchange_paths(std::vector<Path>& paths) {
  const Optimizer sgd = Sgd{.learning_rate = 1.0F};
  add(paths, "1x1KiB", {.variables = Job::equal_variables(1, kKibibyte), .optimizer = sgd});
  add(paths, "1000x1KiB", {.variables = Job::equal_variables(1000, kKibibyte), .optimizer = sgd});
  add(paths, "1x1MiB", {.variables = Job::equal_variables(1, kMebibyte), .optimizer = sgd});
  add(paths, "1x1MiB/bfloat16",
      {.variables = Job::equal_variables(1, kMebibyte, GradientType::kBFloat16), .optimizer = sgd});
}

void add_row_paths(std::vector<Path>& paths) {
  auto rows = std::make_shared<Rows>();
  // A key that comes n times loses n with each push.
  const auto right = [rows] {
    if (rows->failed > 0 || !rows->job.pull_rows(rows->keys, rows->values)) return false;
    for (std::size_t i = 0; i < Rows::kKeys; ++i) {
      const auto times = std::ranges::count(rows->keys, rows->keys[i]);
      const float expected = -static_cast<float>(times * rows->pushes);
      for (std::size_t e = 0; e < Rows::kWidth; ++e) {
        if (rows->values[i * Rows::kWidth + e] != expected) return false;
      }
    }
    return true;
  };
  const auto push = [rows] {
    if (!rows->job.push_rows(rows->keys, rows->gradients)) ++rows->failed;
    ++rows->pushes;
  };
  const auto pull = [rows] {
    if (!rows->job.pull_rows(rows->keys, rows->values)) ++rows->failed;
  };
  paths.push_back({"push_rows/10000x16", push, right});
  paths.push_back({"pull_rows/10000x16", pull, right});
}

}  // namespace dtrain::instructions
