// A training program for the integration tests: a small model on made-up data, with switches for
// what a test wants to see or disturb. It prints `step N` after each update and, at the chief's
// end, the weights' bits to a file.
#include <dtrain/dtrain.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/philox.h"

namespace {

using std::chrono::milliseconds;

/// `--name value` pairs.
std::map<std::string, std::string> parse(int argc, char** argv) {
  std::map<std::string, std::string> options;
  for (int i = 1; i + 1 < argc; i += 2) options[std::string(argv[i]).substr(2)] = argv[i + 1];
  return options;
}

long number(const std::map<std::string, std::string>& options, const std::string& name,
            long otherwise) {
  const auto found = options.find(name);
  return found == options.end() ? otherwise : std::atol(found->second.c_str());
}

dtrain::Dataset make_data() {
  constexpr std::size_t kExamples = 500;
  constexpr std::size_t kFeatures = 20;
  dtrain::base::PhiloxStream random(1);
  std::vector<float> features(kExamples * kFeatures);
  std::vector<std::int32_t> labels(kExamples);
  for (float& feature : features) feature = random.uniform() - 0.5F;
  for (std::size_t i = 0; i < kExamples; ++i) {
    labels[i] = features[i * kFeatures] + features[i * kFeatures + 1] > 0 ? 1 : 0;
  }
  return dtrain::Dataset::from_memory(features, {kFeatures}, labels);
}

void write_weights(const dtrain::Model& model, const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  for (const std::string& name : model.variable_names()) {
    const std::vector<float> values = model.variable(name);
    out.write(reinterpret_cast<const char*>(values.data()),
              static_cast<std::streamsize>(values.size() * sizeof(float)));
  }
}

dtrain::Strategy choose(const std::string& mode, dtrain::Cluster& cluster) {
  if (mode == "local") return dtrain::Strategy::local();
  if (mode == "async") {
    return dtrain::Strategy::parameter_server(
        cluster, {.consistency = dtrain::Asynchronous{}, .chunk_bytes = 1024});
  }
  if (mode == "stale") {
    return dtrain::Strategy::parameter_server(
        cluster, {.consistency = dtrain::BoundedStaleness{2}, .chunk_bytes = 1024});
  }
  if (mode == "backup") {
    return dtrain::Strategy::parameter_server(
        cluster, {.consistency = dtrain::Synchronous{.backup_workers = 1}, .chunk_bytes = 1024});
  }
  return dtrain::Strategy::parameter_server(cluster, {.chunk_bytes = 1024});
}

void train(dtrain::Cluster& cluster, const std::map<std::string, std::string>& options) {
  std::cout << "training" << std::endl;
  auto model = choose(options.at("mode"), cluster)
                   .build({.input_shape = {20},
                           .layers = {dtrain::Dense{64, dtrain::Activation::kRelu},
                                      dtrain::Dropout{.rate = 0.2F}, dtrain::Dense{2}}},
                          {.seed = 3});
  model.compile({.optimizer = dtrain::Adam{.learning_rate = 0.01F},
                 .loss = dtrain::SparseCategoricalCrossentropy{.from_logits = true},
                 .metrics = {"accuracy"}});
  // Each process delays its steps in its own random way: the result must not show it.
  dtrain::base::PhiloxStream delays(
      static_cast<std::uint64_t>(number(options, "delay_seed", 0)) + 17,
      static_cast<std::uint64_t>(cluster.rank() + 1));
  const long delay_ms_max = number(options, "delay_ms", 0);
  const auto data = make_data();
  const auto folder = options.find("checkpoint_dir");
  model.fit(data, {.epochs = 1'000'000,
                   .batch_size = static_cast<std::size_t>(number(options, "batch", 48)),
                   .steps_max = number(options, "steps", 50),
                   .checkpoint_dir = folder == options.end() ? "" : folder->second,
                   .checkpoint = {.every_steps = number(options, "every_steps", 0)},
                   .verbosity = dtrain::Verbosity::kSilent,
                   .on_step_end = [&](std::int64_t step) {
                     std::cout << "step " << step << std::endl;
                     if (delay_ms_max == 0) return;
                     const auto bound = static_cast<std::uint64_t>(delay_ms_max) + 1;
                     std::this_thread::sleep_for(milliseconds(delays.below(bound)));
                   }});
  if (cluster.is_chief() && options.contains("out")) write_weights(model, options.at("out"));
  const dtrain::Traffic moved = cluster.traffic();
  std::cout << "traffic shared " << moved.shared_bytes_sent << " network "
            << moved.network_bytes_sent << " staged " << moved.staged_bytes << std::endl;
  std::cout << "trained" << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  const dtrain::ClusterOptions cluster{
      .join_timeout = milliseconds(number(options, "join_ms", 60'000)),
      .heartbeat_interval = milliseconds(number(options, "heartbeat_ms", 500)),
      .peer_timeout = milliseconds(number(options, "peer_timeout_ms", 5'000)),
      .reconnect_timeout = milliseconds(number(options, "reconnect_ms", 2'000))};
  return dtrain::run(
      argc, argv, [&](dtrain::Cluster& c) { train(c, options); }, cluster);
}
