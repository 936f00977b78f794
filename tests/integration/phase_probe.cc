// A program that the kill matrix brings to a given point of a job: it says on standard output when
// it is there, and one rank holds the others there until the job has failed, or for a while.
//   phase_probe --phase first_pull|push|barrier|end [--hold_rank N] [--hold_ms N] [--mode
//   sync|async]
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
  Options options{{"phase", "push"}, {"mode", "sync"}, {"hold_rank", "-1"}, {"hold_ms", "600000"}};
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

void train(dtrain::Cluster& cluster, const Options& options) {
  constexpr std::size_t kElements = 1 << 20;
  dtrain::ParameterClientOptions client_options{.chunk_bytes = 4096};
  if (options.at("mode") == "async") client_options.consistency = dtrain::Asynchronous{};
  dtrain::ParameterClient client(cluster, client_options);
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
