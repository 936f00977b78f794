// The demo's job: the same training alone, or on a parameter-server cluster.
//   digits --mode local|sync|async [--epochs N] [--data FOLDER] [--checkpoint_dir FOLDER]
#include <dtrain/dtrain.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

namespace {

struct Arguments {
  std::string mode = "local";
  std::string data = "examples/data";
  std::string checkpoint_dir;
  int epochs = 20;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--mode") {
      arguments.mode = argv[i + 1];
    } else if (option == "--data") {
      arguments.data = argv[i + 1];
    } else if (option == "--checkpoint_dir") {
      arguments.checkpoint_dir = argv[i + 1];
    } else if (option == "--epochs") {
      arguments.epochs = std::atoi(argv[i + 1]);
    } else {
      throw dtrain::Error(
          dtrain::ErrorCode::kInvalidArgument, "unknown option " + option,
          "Use --mode local|sync|async, --epochs N, --data FOLDER, --checkpoint_dir FOLDER");
    }
  }
  return arguments;
}

dtrain::Strategy choose(const std::string& mode, dtrain::Cluster& cluster) {
  if (mode == "local") return dtrain::Strategy::local();
  if (mode == "sync") return dtrain::Strategy::parameter_server(cluster);
  if (mode == "async") {
    return dtrain::Strategy::parameter_server(cluster, {.consistency = dtrain::Asynchronous{}});
  }
  throw dtrain::Error(dtrain::ErrorCode::kInvalidArgument, "--mode is " + mode,
                      "Use local, sync or async");
}

}  // namespace

int main(int argc, char** argv) {
  return dtrain::run(argc, argv, [&](dtrain::Cluster& cluster) {
    const Arguments arguments = parse(argc, argv);
    const dtrain::CsvOptions csv{.label = "label", .scale = 1.0F / 16};
    const auto train = dtrain::Dataset::from_csv(arguments.data + "/digits-train.csv.gz", csv);
    const auto test = dtrain::Dataset::from_csv(arguments.data + "/digits-test.csv.gz", csv);

    auto model =
        choose(arguments.mode, cluster)
            .build({.input_shape = {64},
                    .layers = {dtrain::Dense{128, dtrain::Activation::kRelu}, dtrain::Dense{10}}});
    model.compile({.optimizer = dtrain::Adam{.learning_rate = 1e-3F},
                   .loss = dtrain::SparseCategoricalCrossentropy{.from_logits = true},
                   .metrics = {dtrain::Metric::kAccuracy}});
    const dtrain::History history = model.fit(train, {.epochs = arguments.epochs,
                                                      .batch_size = 64,
                                                      .validation = &test,
                                                      .checkpoint_dir = arguments.checkpoint_dir});
    const double accuracy = model.evaluate(test).at("accuracy");
    if (!cluster.is_chief()) return;
    std::cout << "test accuracy " << accuracy << " after " << arguments.epochs << " epochs in "
              << history.seconds << " s\n";
  });
}
