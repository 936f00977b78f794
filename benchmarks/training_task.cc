// One process of a training benchmark: the models that training_bench.cc and startup_bench.cc
// time, under `dtrain launch` as a user's program runs, or alone. Trains on examples that it makes,
// and prints what it measured as one line of JSON after "RESULT ".
//   training_task --model mlp|embedding --mode local|sync|async [--steps N] [--warmup N]
//                 [--epoch_steps N] [--memory 1]
#include <dtrain/dtrain.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "job_memory.h"

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
    if (option == "--model" && (value == "mlp" || value == "embedding")) {
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
                        "Use training_task --model mlp|embedding --mode local|sync|async "
                        "[--steps N] [--warmup N] [--epoch_steps N] [--memory 1]");
  }
  return arguments;
}

struct Workload {
  std::size_t batch = 0;  ///< Of one worker.
  dtrain::Sequential model;
  dtrain::Loss loss;
  float learning_rate = 0;
};

constexpr std::size_t kPixels = 784;
constexpr std::size_t kClasses = 10;
constexpr std::int64_t kRows = 1'000'000;
constexpr std::size_t kIds = 26;

Workload workload(const std::string& name) {
  if (name == "mlp") {
    return {.batch = 64,
            .model = {.input_shape = {kPixels},
                      .layers = {dtrain::Dense{1024, dtrain::Activation::kRelu},
                                 dtrain::Dense{1024, dtrain::Activation::kRelu},
                                 dtrain::Dense{kClasses}}},
            .loss = dtrain::SparseCategoricalCrossentropy{.from_logits = true},
            .learning_rate = 0.02F};
  }
  return {.batch = 1024,
          .model = {.input_shape = {kIds},
                    .layers = {dtrain::Embedding{.input_dim = kRows, .output_dim = 32},
                               dtrain::Flatten{}, dtrain::Dense{1}}},
          .loss = dtrain::MeanSquaredError{},
          .learning_rate = 0.2F};
}

/// Each class is a random image, and each example one of those with noise.
dtrain::Dataset make_images(std::size_t examples) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
  std::vector<float> classes(kClasses * kPixels);
  for (float& pixel : classes) pixel = uniform(random);
  std::vector<float> pixels(examples * kPixels);
  std::vector<std::int32_t> labels(examples);
  for (std::size_t i = 0; i < examples; ++i) {
    labels[i] = static_cast<std::int32_t>(random() % kClasses);
    const float* image = classes.data() + static_cast<std::size_t>(labels[i]) * kPixels;
    for (std::size_t p = 0; p < kPixels; ++p) {
      pixels[i * kPixels + p] = 0.5F * image[p] + 0.5F * uniform(random);
    }
  }
  return dtrain::Dataset::from_memory(pixels, {kPixels}, labels);
}

/// Uniform ids, as hashed features are at worst. The first decides the target.
dtrain::Dataset make_clicks(std::size_t examples) {
  std::mt19937_64 random(1);
  std::vector<std::int64_t> ids(examples * kIds);
  std::vector<float> targets(examples);
  for (std::size_t i = 0; i < examples; ++i) {
    for (std::size_t k = 0; k < kIds; ++k) {
      ids[i * kIds + k] = static_cast<std::int64_t>(random() % kRows);
    }
    targets[i] = ids[i * kIds] % 4 == 0 ? 0.0F : 1.0F;
  }
  return dtrain::Dataset::from_memory(ids, {kIds}, targets);
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
  const auto data = arguments.model == "mlp" ? make_images(all * arguments.epoch_steps)
                                             : make_clicks(all * arguments.epoch_steps);
  auto model = choose(arguments.mode, cluster).build(work.model, {.seed = 1});
  model.compile({.optimizer = dtrain::Sgd{.learning_rate = work.learning_rate}, .loss = work.loss});

  std::chrono::system_clock::time_point first_step{};
  const bool together = arguments.mode == "sync";
  dtrain::FitOptions options{.epochs = 1 << 20,
                             .batch_size = together ? all : work.batch,
                             .steps_max = arguments.warmup,
                             .verbosity = dtrain::Verbosity::kSilent};
  options.on_step_end = [&](std::int64_t step) {
    if (step == 1) first_step = std::chrono::system_clock::now();
  };
  const double first_loss = model.fit(data, options).history.at("loss").front();

  std::vector<double> step_us;
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
