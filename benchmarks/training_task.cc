// One process of a training benchmark, which training_bench.cc and startup_bench.cc start: under
// `dtrain launch` as a user's program runs, or alone. Trains on examples that it makes, and prints
// what it measured as one line of JSON after "RESULT ".
//   training_task --model NAME --mode local|sync|async [--steps N] [--warmup N] [--epoch_steps N]
//                 [--memory 1]
// training_workloads.cc has the names.
#include <dtrain/dtrain.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "job_memory.h"
#include "training_data.h"
#include "training_workloads.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::string model = "mlp";
  std::string mode = "local";
  std::int64_t steps = 100;
  std::int64_t warmup = 20;
  std::size_t epoch_steps = 64;
  bool memory = false;  ///< Rank 0 reports what the job's processes take.
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  bool understood = argc % 2 == 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    const std::string value = argv[i + 1];
    if (option == "--model") {
      arguments.model = value;
    } else if (option == "--mode" && (value == "local" || value == "sync" || value == "async")) {
      arguments.mode = value;
    } else if (option == "--steps") {
      arguments.steps = std::stoll(value);
    } else if (option == "--warmup") {
      arguments.warmup = std::stoll(value);
    } else if (option == "--epoch_steps") {
      arguments.epoch_steps = std::stoul(value);
    } else if (option == "--memory") {
      arguments.memory = value == "1";
    } else {
      understood = false;
    }
  }
  if (!understood || arguments.steps < 2 || arguments.warmup < 1 || arguments.epoch_steps < 1) {
    throw dtrain::Error(dtrain::ErrorCode::kInvalidArgument, "these are no arguments of it",
                        "Use training_task --model NAME --mode local|sync|async [--steps N] "
                        "[--warmup N] [--epoch_steps N] [--memory 1]");
  }
  return arguments;
}

dtrain::Strategy choose(const std::string& mode, dtrain::Cluster& cluster) {
  if (mode == "local") return dtrain::Strategy::local();
  if (mode == "sync") return dtrain::Strategy::parameter_server(cluster);
  return dtrain::Strategy::parameter_server(cluster, {.consistency = dtrain::Asynchronous{}});
}

double to_us(Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

/// Of this worker's variables, but for embeddings: equal runs have equal ones.
std::uint64_t checksum(const dtrain::Model& model) {
  std::uint64_t sum = 14695981039346656037U;
  for (const std::string& name : model.variable_names()) {
    if (name.starts_with("embedding")) continue;
    for (const float value : model.variable(name)) {
      sum = (sum ^ __builtin_bit_cast(std::uint32_t, value)) * 1099511628211U;
    }
  }
  return sum;
}

void train(dtrain::Cluster& cluster, const Arguments& arguments) {
  const auto started = std::chrono::system_clock::now();
  const Workload work = workload(arguments.model);
  const int workers = arguments.mode == "local" ? 1 : cluster.worker_count();
  const std::size_t all = work.batch * static_cast<std::size_t>(workers);
  const dtrain::Dataset data = work.data(all * arguments.epoch_steps);
  auto model = choose(arguments.mode, cluster).build(work.model(), {.seed = 1});
  if (work.as_peers) set_first_values(model);
  model.compile({.optimizer = work.optimizer, .loss = work.loss});

  const bool together = arguments.mode == "sync";
  dtrain::FitOptions options{.epochs = 1 << 20,
                             .batch_size = together ? all : work.batch,
                             .shuffle = false,  // The peers' batches.
                             .steps_max = 1,
                             .verbosity = dtrain::Verbosity::kSilent};
  std::chrono::system_clock::time_point first_step{};
  options.on_step_end = [&](std::int64_t) { first_step = std::chrono::system_clock::now(); };
  const double first_loss = model.fit(data, options).history.at("loss").front();
  options.on_step_end = {};
  options.steps_max = arguments.warmup;
  model.fit(data, options);

  std::vector<double> step_us;
  step_us.reserve(static_cast<std::size_t>(arguments.steps));
  std::string memory = "[]";
  Clock::time_point last{};
  options.steps_max = arguments.steps;
  options.on_step_end = [&](std::int64_t step) {
    if (arguments.memory && step == arguments.steps && cluster.rank() == 0) {
      memory = to_json(job_memory());
    }
    const auto now = Clock::now();
    if (step > 1) step_us.push_back(to_us(now - last));
    last = now;
  };
  const auto history = model.fit(data, options);
  double seconds = 0;
  for (const double us : step_us) seconds += us / 1e6;
  const double examples = static_cast<double>(step_us.size() * work.batch);
  std::ranges::sort(step_us);
  const auto unix_s = [](auto time) {
    return std::chrono::duration<double>(time.time_since_epoch()).count();
  };
  std::ostringstream line;
  line.precision(17);
  line << "RESULT {\"rank\":" << std::max(cluster.rank(), 0)
       << ",\"examples_per_s\":" << examples / seconds
       << ",\"p50_us\":" << step_us[step_us.size() / 2] << ",\"first_loss\":" << first_loss
       << ",\"last_loss\":" << history.history.at("loss").back()
       << ",\"checksum\":" << checksum(model) << ",\"started_s\":" << unix_s(started)
       << ",\"first_step_s\":" << unix_s(first_step) << ",\"memory\":" << memory << "}\n";
  std::cout << line.str() << std::flush;
}

}  // namespace

int main(int argc, char** argv) {
  return dtrain::run(argc, argv,
                     [&](dtrain::Cluster& cluster) { train(cluster, parse(argc, argv)); });
}
