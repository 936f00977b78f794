// From `dtrain launch` to the first training step, and the memory of a job's processes.
#include <algorithm>
#include <exception>
#include <vector>

#include "dtrain/error.h"
#include "measure.h"
#include "training_bench.h"
#include "training_job.h"

namespace dtrain::benchmarks {
namespace {

TrainingJob short_job(const char* mode, int workers, int servers) {
  return {.mode = mode,
          .workers = workers,
          .servers = servers,
          .steps = 8,
          .warmup = 2,
          .epoch_steps = 2};
}

/// Until every worker has done one.
double first_step_s(const TrainingJob& job) {
  double last = 0;
  for (const TrainingReport& report : run(job)) last = std::max(last, report.first_step_s);
  return last;
}

constexpr double kMiB = 1 << 20;
/// Of 784-1024-1024-10: kernels and biases.
constexpr double kModelBytes = 4.0 * (784 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 10 + 10);
constexpr double kBatchBytes = 4.0 * 64 * (784 + 1);

/// Values and the sum of a step; SGD has no slots.
constexpr double kServerMax = 2 * kModelBytes + 40 * kMiB;
/// The data set, two batches, counts for the batch.
constexpr double kWorkerMax = 2 * kModelBytes + 2 * kBatchBytes + 40 * kMiB;

void measure_memory(benchmark::State& state, const std::string& task, double bytes_max) {
  try {
    TrainingJob job = short_job("sync", 1, 1);
    job.memory = true;
    double largest = 0;
    for ([[maybe_unused]] auto _ : state) {
      const std::vector<TrainingReport> reports = run(job);
      for (const ProcessMemory& process : reports.front().memory) {
        if (process.task == task) largest = std::max(largest, process.pss_bytes);
      }
    }
    if (largest == 0) throw Error(ErrorCode::kInternal, "there is no " + task + " in the job");
    state.counters["pss_bytes"] = largest;
    state.counters["limit_bytes"] = bytes_max;
    state.counters["ratio"] = bytes_max / largest;
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
  }
}

void add_memory(const std::string& name, const std::string& task, double bytes_max) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    measure_memory(state, task, bytes_max);
  })->Iterations(3);
}

}  // namespace

void register_startup(const ProgramOptions& options) {
  // Beside the same program alone, which has no one to find.
  add_case("startup/w2s2", options, [] {
    return Comparison{.result = [] { return first_step_s(short_job("sync", 2, 2)); },
                      .limit = [] { return first_step_s(short_job("local", 2, 0)); }};
  });
  add_memory("memory/mlp/w1s1/server", "ps", kServerMax);
  add_memory("memory/mlp/w1s1/worker", "worker", kWorkerMax);
}

void register_benchmarks(const ProgramOptions& options) {
  register_training(options);
  register_startup(options);
}

std::vector<bench::ChildRole> child_roles() { return {}; }

}  // namespace dtrain::benchmarks
