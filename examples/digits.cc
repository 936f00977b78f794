// The demo's job: the same training alone, or on a parameter-server cluster.
//   digits --mode local|sync|async [--model dense|conv] [--epochs N] [--steps N] [--data FOLDER]
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
  std::string model = "dense";
  std::string data = "examples/data";
  std::string weights;
  std::string checkpoint_dir;
  int epochs = 20;
  std::int64_t steps = 0;
};

[[noreturn]] void refuse(const std::string& what) {
  throw dtrain::Error(
      dtrain::ErrorCode::kInvalidArgument, what,
      "Use --mode local|sync|async, --model dense|conv, --epochs N, --steps N, --data FOLDER, "
      "--checkpoint_dir FOLDER, --weights FILE");
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i];
    const std::string value = i + 1 < argc ? argv[i + 1] : "";
    if (value.empty()) {
      refuse("the option " + option + " has no value");
    } else if (option == "--mode") {
      arguments.mode = value;
    } else if (option == "--model") {
      arguments.model = value;
    } else if (option == "--data") {
      arguments.data = value;
    } else if (option == "--checkpoint_dir") {
      arguments.checkpoint_dir = value;
    } else if (option == "--epochs") {
      arguments.epochs = std::atoi(value.c_str());
    } else if (option == "--steps") {
      arguments.steps = std::atoll(value.c_str());
    } else if (option == "--weights") {
      arguments.weights = value;
    } else {
      refuse("unknown option " + option);
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

/// Images of 8 x 8 pixels, to the logits of ten digits.
dtrain::Sequential describe(const std::string& model) {
  using dtrain::Activation;
  if (model == "dense") {
    return {
        .input_shape = {8, 8, 1},
        .layers = {dtrain::Flatten{}, dtrain::Dense{128, Activation::kRelu}, dtrain::Dense{10}}};
  }
  if (model == "conv") {
    const dtrain::Conv2D conv{
        .kernel_size = {3, 3}, .padding = dtrain::Padding::kSame, .activation = Activation::kRelu};
    dtrain::Conv2D first = conv, second = conv;
    first.filters = 16;
    second.filters = 32;
    return {.input_shape = {8, 8, 1},
            .layers = {first, dtrain::MaxPooling2D{}, second, dtrain::MaxPooling2D{},
                       dtrain::Flatten{}, dtrain::Dense{64, Activation::kRelu},
                       dtrain::Dropout{.rate = 0.25F}, dtrain::Dense{10}}};
  }
  throw dtrain::Error(dtrain::ErrorCode::kInvalidArgument, "--model is " + model,
                      "Use dense or conv");
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
    const dtrain::CsvOptions csv{.label = "label", .scale = 1.0F / 16, .feature_shape = {8, 8, 1}};
    const auto train = dtrain::Dataset::from_csv(arguments.data + "/digits-train.csv.gz", csv);
    const auto test = dtrain::Dataset::from_csv(arguments.data + "/digits-test.csv.gz", csv);

    auto model = choose(arguments.mode, cluster).build(describe(arguments.model));
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
