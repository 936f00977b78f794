// A training program for the integration tests: an embedding of many rows, of which the data name
// few. `rows_probe ROWS WIDTH UNTIL` trains until the file UNTIL exists; the chief prints the loss
// of each epoch.
#include <dtrain/dtrain.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <vector>

#include "base/philox.h"

namespace {

constexpr std::size_t kExamples = 2000;
constexpr std::size_t kIds = 4;

dtrain::Dataset make_data(std::int64_t rows) {
  dtrain::base::PhiloxStream random(1);
  std::vector<std::int64_t> ids(kExamples * kIds);
  std::vector<float> targets(kExamples);
  for (auto& id : ids) {
    id = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(rows)));
  }
  for (float& target : targets) target = random.uniform() - 0.5F;
  return dtrain::Dataset::from_memory(ids, {kIds}, targets);
}

void train(dtrain::Cluster& cluster, std::int64_t rows, std::int64_t width,
           const std::string& until) {
  auto model = dtrain::Strategy::parameter_server(cluster).build(
      {.input_shape = {kIds},
       .layers = {dtrain::Embedding{.input_dim = rows, .output_dim = width}, dtrain::Flatten{},
                  dtrain::Dense{1}}});
  model.compile({.optimizer = dtrain::Adam{.learning_rate = 0.01F}});
  const auto data = make_data(rows);
  model.fit(data, {.epochs = 1'000'000,
                   .batch_size = 200,
                   .verbosity = dtrain::Verbosity::kSilent,
                   .on_epoch_end = [&](int epoch, const dtrain::Logs& logs) {
                     if (cluster.is_chief()) {
                       std::cout << "epoch " << epoch << " loss " << logs.at("loss") << std::endl;
                     }
                     return std::filesystem::exists(until);
                   }});
}

}  // namespace

int main(int argc, char** argv) {
  return dtrain::run(argc, argv, [&](dtrain::Cluster& cluster) {
    train(cluster, std::atoll(argv[1]), std::atoll(argv[2]), argv[3]);
  });
}
