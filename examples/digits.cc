// The demo's job: the same training alone, or on a parameter-server cluster.
//   digits --mode local|sync|async [--epochs N] [--steps N] [--data FOLDER]
//          [--checkpoint_dir FOLDER] [--weights FILE]
// --steps ends the training early; --weights writes the chief's weights, as raw floats, for
// comparing runs.
#include <dtrain/dtrain.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <string>

namespace {

struct Arguments {
  std::string mode = "local";
  std::string data = "examples/data";
  std::string weights;
  std::string checkpoint_dir;
  int epochs = 20;
  std::int64_t steps = 0;
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
    } else if (option == "--steps") {
      arguments.steps = std::atoll(argv[i + 1]);
    } else if (option == "--weights") {
      arguments.weights = argv[i + 1];
    } else {
      throw dtrain::Error(
          dtrain::ErrorCode::kInvalidArgument, "unknown option " + option,
          "Use --mode local|sync|async, --epochs N, --steps N, --data FOLDER, --checkpoint_dir "
          "FOLDER, --weights FILE");
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

void write_weights(const dtrain::Model& model, const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  for (const std::string& name : model.variable_names()) {
    const std::vector<float> values = model.variable(name);
    out.write(reinterpret_cast<const char*>(values.data()),
              static_cast<std::streamsize>(values.size() * sizeof(float)));
  }
  if (!out.flush()) {
    throw dtrain::Error(dtrain::ErrorCode::kUnavailable, path + " cannot be written",
                        "Give --weights a file in a folder that exists");
  }
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
                   .metrics = {"accuracy"}});
    const dtrain::History history = model.fit(train, {.epochs = arguments.epochs,
                                                      .batch_size = 64,
                                                      .validation = &test,
                                                      .steps_max = arguments.steps,
                                                      .checkpoint_dir = arguments.checkpoint_dir});
    const double accuracy = model.evaluate(test).at("accuracy");
    if (!cluster.is_chief()) return;
    if (!arguments.weights.empty()) write_weights(model, arguments.weights);
    std::cout << "test accuracy " << accuracy << " after " << history.steps << " steps in "
              << history.seconds << " s\n";
  });
}
