// A program that the kill matrix brings to a given point of a job: it says on standard output when
// it is there, and one rank holds the others there until the job has failed, or for a while.
//   phase_probe --phase first_pull|push|barrier|checkpoint|end [--hold_rank N] [--hold_ms N]
//               [--mode sync|async] [--folder FOLDER] [--steps N]
#include <dtrain/dtrain.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

using std::chrono::milliseconds;

using Options = std::map<std::string, std::string>;

Options parse(int argc, char** argv) {
  Options options{{"phase", "push"},     {"mode", "sync"},   {"hold_rank", "-1"},
                  {"hold_ms", "600000"}, {"folder", "none"}, {"steps", "1000000"}};
  for (int i = 1; i + 1 < argc; i += 2) options[std::string(argv[i]).substr(2)] = argv[i + 1];
  return options;
}

milliseconds ms(const Options& options, const std::string& name, int otherwise) {
  const auto found = options.find(name);
  return milliseconds(found == options.end() ? otherwise : std::atoi(found->second.c_str()));
}

/// Says where this process is, and stays there if it is the one that holds.
void reach(const std::string& phase, dtrain::Cluster& cluster, const Options& options) {
  std::cout << "at " << phase << std::endl;
  if (options.at("phase") != phase) return;
  if (std::atoi(options.at("hold_rank").c_str()) != cluster.rank()) return;
  const auto end = std::chrono::steady_clock::now() + ms(options, "hold_ms", 0);
  while (std::chrono::steady_clock::now() < end) {
    cluster.check();
    std::this_thread::sleep_for(milliseconds(5));
  }
}

dtrain::Consistency consistency(const Options& options) {
  if (options.at("mode") == "async") return dtrain::Asynchronous{};
  return dtrain::Synchronous{};
}

/// A model that is saved after each step, and takes a while to save.
void train_with_checkpoints(dtrain::Cluster& cluster, const Options& options) {
  auto model =
      dtrain::Strategy::parameter_server(cluster, {.consistency = consistency(options)})
          .build({.input_shape = {8}, .layers = {dtrain::Dense{100'000}, dtrain::Dense{1}}});
  model.compile({.optimizer = dtrain::Adam{}, .loss = dtrain::MeanSquaredError{}});
  const std::vector<float> features(64 * 8, 0.5F);
  const std::vector<float> targets(64, 1.0F);
  const auto data = dtrain::Dataset::from_memory(features, {8}, targets);
  // It is the chief that saves, right after the step's callback.
  model.fit(data, {.epochs = 1'000'000,
                   .batch_size = 8,
                   .steps_max = std::atoi(options.at("steps").c_str()),
                   .checkpoint_dir = options.at("folder"),
                   .checkpoint = {.every_steps = 1, .max_to_keep = 2},
                   .verbosity = dtrain::Verbosity::kSilent,
                   .on_step_end = [&](std::int64_t step) {
                     if (step == 3) reach("checkpoint", cluster, options);
                   }});
}

void train(dtrain::Cluster& cluster, const Options& options) {
  if (options.at("phase") == "checkpoint") {
    train_with_checkpoints(cluster, options);
    return;
  }
  constexpr std::size_t kElements = 1 << 20;
  dtrain::ParameterClient client(cluster,
                                 {.consistency = consistency(options), .chunk_bytes = 4096});
  std::vector<float> values(kElements);
  const std::vector<float> gradient(kElements, 1.0F);
  reach("first_pull", cluster, options);
  client.declare({{.name = "w", .shape = {kElements}}}, dtrain::Sgd{.learning_rate = 1e-3F});
  client.pull({"w", values});
  for (int step = 0; step < 3; ++step) {
    if (step == 1) reach("push", cluster, options);
    client.push_pull({{"w", gradient}}, {{"w", values}});
  }
  reach("barrier", cluster, options);
  cluster.barrier("phase");
  reach("end", cluster, options);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  return dtrain::run(argc, argv, [&](dtrain::Cluster& cluster) { train(cluster, options); },
                     {.join_timeout = ms(options, "join_ms", 60'000),
                      .heartbeat_interval = ms(options, "heartbeat_ms", 250),
                      .peer_timeout = ms(options, "peer_timeout_ms", 3'000),
                      .reconnect_timeout = ms(options, "reconnect_ms", 1'500)});
}
