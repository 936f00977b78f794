// Runs each hot path under callgrind and has its instructions written to a file of its own.
// `check` starts it and reads them. Without valgrind it runs the paths and looks at their results.
#include <gnu/libc-version.h>
#include <valgrind/callgrind.h>

#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>

#include "compute/dispatch.h"
#include "path.h"

namespace dtrain::instructions {
namespace {

/// Before counting starts: memory is there, names are bound, buffers have their sizes.
constexpr int kWarmUps = 2;

/// What the counts depend on beside this project's code.
nlohmann::json conditions() {
  return {
#if defined(__clang__)
    {"compiler", "clang " __clang_version__},
#else
    {"compiler", "g++ " __VERSION__},
#endif
        {"build", DTRAIN_INSTRUCTIONS_BUILD}, {"processor", DTRAIN_INSTRUCTIONS_PROCESSOR},
        {"kernels", compute::best_kernels().name},
        {"libraries",
         {{"glibc", gnu_get_libc_version()},
          {"libstdc++", std::to_string(__GLIBCXX__)},
          {"Eigen", DTRAIN_INSTRUCTIONS_EIGEN},
          {"Protobuf", DTRAIN_INSTRUCTIONS_PROTOBUF}}},
  };
}

void count(const Path& path) {
  for (int i = 0; i < kWarmUps; ++i) path.run();
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
  path.run();
  CALLGRIND_DUMP_STATS_AT(path.name.c_str());
  CALLGRIND_STOP_INSTRUMENTATION;
}

int run() {
  std::vector<Path> paths;
  add_exchange_paths(paths);
  add_row_paths(paths);
  add_message_paths(paths);
  add_compute_paths(paths);
  add_training_paths(paths);
  nlohmann::json names;
  for (const Path& path : paths) {
    count(path);
    names.push_back(path.name);
  }
  int wrong = 0;
  for (const Path& path : paths) {
    if (path.right()) continue;
    std::fprintf(stderr, "%s: the result is wrong\n", path.name.c_str());
    ++wrong;
  }
  const nlohmann::json report = {{"conditions", conditions()}, {"paths", names}};
  std::printf("%s\n", report.dump(1).c_str());
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace dtrain::instructions

int main() {
  try {
    return dtrain::instructions::run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hot_paths: %s\n", error.what());
    return 1;
  }
}
