// A process's own part of training: reading data, gathering a batch, a step.
#include <cmath>
#include <memory>
#include <string>

#include "compute/cpu_device.h"
#include "data/batcher.h"
#include "data/csv_reader.h"
#include "model/network.h"
#include "path.h"
#include "strategy/exchange.h"

namespace dtrain::instructions {
namespace {

constexpr int kLines = 500;
constexpr int kFeatures = 64;
constexpr int kClasses = 10;

int pixel(int line, int feature) { return (line * 31 + feature * 7) % 17; }

std::string csv() {
  std::string text = "label";
  for (int i = 0; i < kFeatures; ++i) text += ",pixel_" + std::to_string(i);
  for (int line = 0; line < kLines; ++line) {
    text += '\n' + std::to_string(line % kClasses);
    for (int i = 0; i < kFeatures; ++i) text += ',' + std::to_string(pixel(line, i));
  }
  return text + '\n';
}

Dataset examples() {
  std::vector<float> features;
  std::vector<std::int32_t> labels;
  for (int line = 0; line < kLines; ++line) {
    for (int i = 0; i < kFeatures; ++i) {
      features.push_back(static_cast<float>(pixel(line, i)) / 16.0F);
    }
    labels.push_back(line % kClasses);
  }
  return Dataset::from_memory(features, {kFeatures}, labels);
}

/// 64-128-10 with dropout, batch 32, Adam, gradients clipped by their norm.
struct Training {
  Training() {
    network.bind(arenas.values.span(), arenas.gradients.span());
    network.initial_values(arenas.values.span());
    network.set_objective(SparseCategoricalCrossentropy{}, {"accuracy"});
    exchange->start(Adam{}, {.clipping = {.global_norm = 1.0F}});
  }
  std::unique_ptr<compute::Device> device = compute::cpu_device({.threads = 1});
  model::Network network{
      {.input_shape = {kFeatures},
       .layers = {Dense{.units = 128, .activation = Activation::kRelu}, Dropout{.rate = 0.2F},
                  Dense{.units = kClasses, .activation = Activation::kSoftmax}}},
      1,
      *device};
  strategy::Arenas arenas{network.layout().count(), false};
  std::unique_ptr<strategy::Exchange> exchange = strategy::make_local_exchange(network, arenas);
  data::Batcher batcher{examples(), {.examples = kLines, .batch_size = 32}};
  model::Sums sums;
  std::int64_t step = 0;

  void run() {
    const tensor::Batch* batch = batcher.batch(static_cast<std::size_t>(step % 8));
    network.train_step(*batch, step, sums);
    exchange->step(batch->size);
    ++step;
  }
};

}  // namespace

void add_training_paths(std::vector<Path>& paths) {
  auto text = std::make_shared<const std::string>(csv());
  auto read = std::make_shared<Examples>();
  paths.push_back({"csv/500x64",
                   [text, read] {
                     data::CsvReader reader("digits.csv", {.scale = 1.0F / 16});
                     reader.feed(*text);
                     *read = reader.finish();
                   },
                   [read] {
                     const auto& pixels = std::get<std::vector<float>>(read->features[0].values);
                     const auto& labels =
                         std::get<std::vector<std::int32_t>>(read->targets[0].values);
                     return read->size() == kLines && labels[kLines - 1] == 9 &&
                            pixels[kFeatures + 3] == static_cast<float>(pixel(1, 3)) / 16.0F;
                   }});
  auto training = std::make_shared<Training>();
  paths.push_back({"train_step/64-128-10/adam", [training] { training->run(); },
                   [training] {
                     const double loss = training->sums.mean_loss();
                     return training->sums.examples > 0 && loss > 0.0 && loss < 4.0;
                   }});
}

}  // namespace dtrain::instructions
