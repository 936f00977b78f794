// A wide and deep model of census data, from raw CSV files to an AUC: numbers are normalised and
// words are looked up inside the model, which takes what the file has.
//   adult --mode local|sync|async [--epochs N] [--data FOLDER]
#include <dtrain/dtrain.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

namespace {

const std::vector<std::string> kNumbers = {"age", "educational_num", "capital_gain", "capital_loss",
                                           "hours_per_week"};
const std::vector<std::string> kWords = {"workclass",  "education",     "marital_status",
                                         "occupation", "relationship",  "race",
                                         "gender",     "native_country"};

struct Arguments {
  std::string mode = "local";
  std::string data = "examples/data";
  int epochs = 5;
};

[[noreturn]] void refuse(const std::string& what) {
  throw dtrain::Error(dtrain::ErrorCode::kInvalidArgument, what,
                      "Use --mode local|sync|async, --epochs N, --data FOLDER");
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
    } else if (option == "--data") {
      arguments.data = value;
    } else if (option == "--epochs") {
      arguments.epochs = std::atoi(value.c_str());
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

dtrain::Dataset read(const std::string& path) {
  dtrain::CsvOptions csv{.label = "income", .label_vocabulary = {"<=50K", ">50K"}};
  for (const std::string& name : kNumbers) csv.features.push_back({.name = name});
  for (const std::string& name : kWords) {
    csv.features.push_back({.name = name, .dtype = dtrain::DType::kString});
  }
  return dtrain::Dataset::from_csv(path, csv);
}

/// A weight for each word (wide), and a small network over its embeddings and the numbers (deep).
dtrain::Functional wide_and_deep(const dtrain::Dataset& train) {
  dtrain::Functional model{.name = "wide_and_deep"};
  std::vector<dtrain::SymbolicTensor> wide, deep;
  for (const std::string& name : kNumbers) {
    const auto number = model.input({.shape = {1}, .name = name});
    deep.push_back(model.add(dtrain::adapt_normalization(train, name), {number}));
  }
  for (const std::string& name : kWords) {
    const auto word = model.input({.shape = {1}, .dtype = dtrain::DType::kString, .name = name});
    const std::vector<std::string> vocabulary = dtrain::adapt_vocabulary(train, name);
    const auto words = static_cast<std::int64_t>(vocabulary.size()) + 1;  // and unknown ones
    const auto id = model.add(dtrain::StringLookup{.vocabulary = vocabulary}, {word});
    const auto weight = model.add(
        dtrain::EmbeddingBag{.input_dim = words, .output_dim = 1, .name = name + "_wide"}, {id});
    const auto row = model.add(
        dtrain::EmbeddingBag{.input_dim = words, .output_dim = 8, .name = name + "_deep"}, {id});
    wide.push_back(weight);
    deep.push_back(row);
  }
  auto hidden = model.add(dtrain::Concatenate{}, deep);
  hidden = model.add(dtrain::Dense{64, dtrain::Activation::kRelu}, {hidden});
  hidden = model.add(dtrain::Dense{32, dtrain::Activation::kRelu}, {hidden});
  wide.push_back(model.add(dtrain::Dense{1}, {hidden}));
  const auto logit = model.add(dtrain::Add{}, wide);
  model.output(model.add(dtrain::ActivationLayer{dtrain::Activation::kSigmoid}, {logit}), "income");
  return model;
}

}  // namespace

int main(int argc, char** argv) {
  return dtrain::run(argc, argv, [&](dtrain::Cluster& cluster) {
    const Arguments arguments = parse(argc, argv);
    const dtrain::Dataset train = read(arguments.data + "/adult-train.csv.gz");
    const dtrain::Dataset test = read(arguments.data + "/adult-test.csv.gz");
    auto model = choose(arguments.mode, cluster).build(wide_and_deep(train));
    model.compile({.optimizer = dtrain::Adam{.learning_rate = 1e-3F},
                   .loss = "binary_crossentropy",
                   .metrics = {"accuracy", "auc"}});
    const dtrain::History history =
        model.fit(train, {.epochs = arguments.epochs, .batch_size = 256, .validation = &test});
    const dtrain::Logs logs = model.evaluate(test);
    if (!cluster.is_chief()) return;
    std::cout << "test auc " << logs.at("auc") << " accuracy " << logs.at("accuracy") << " after "
              << history.steps << " steps in " << history.seconds << " s\n";
  });
}
