// Trains a classifier of handwritten digits on whatever cluster TF_CONFIG describes:
//   dtrain launch --workers 2 --ps 2 -- build/release/examples/quickstart examples/data
#include <dtrain/dtrain.h>

#include <iostream>
#include <string>

int main(int argc, char** argv) {
  return dtrain::run(argc, argv, [&](dtrain::Cluster& cluster) {  // a ps serves; the others train
    const std::string folder = argc > 1 ? argv[1] : "examples/data";
    const dtrain::CsvOptions csv{.label = "label", .scale = 1.0F / 16};
    const auto train = dtrain::Dataset::from_csv(folder + "/digits-train.csv.gz", csv);
    const auto test = dtrain::Dataset::from_csv(folder + "/digits-test.csv.gz", csv);

    auto strategy = dtrain::Strategy::parameter_server(cluster);
    auto model = strategy.build(
        {.input_shape = {64},
         .layers = {dtrain::Dense{128, dtrain::Activation::kRelu}, dtrain::Dense{10}}});
    model.compile({.optimizer = dtrain::Adam{.learning_rate = 1e-3F},
                   .loss = dtrain::SparseCategoricalCrossentropy{.from_logits = true},
                   .metrics = {"accuracy"}});
    model.fit(train, {.epochs = 20, .batch_size = 64, .validation = &test});
    const auto result = model.evaluate(test);
    if (cluster.is_chief()) std::cout << "test accuracy " << result.at("accuracy") << '\n';
  });
}
