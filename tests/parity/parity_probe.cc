// Runs models that it is told of on standard input, a JSON object a line:
//   {"model": <functional_from_json>, "weights": {name: [...]}, "loss": "mse",
//    "inputs": [{"dtype": "float32", "shape": [4, 3], "values": [...]}], "targets": [...],
//    "optimizer": "adam", "learning_rate": 0.01, "steps": 50, "batch_size": 32}
// and prints for each a line {"outputs": [[...]], "loss": x, "gradients": {name: [...]},
// "losses": [...], "trained": {name: [...]}} or {"error": "..."}. Gradients are those of a training
// step with all examples. "losses" and "trained" come of the steps, if an optimizer is given: step
// k has batch k of the examples in their order, again from the first after the last; without a
// batch size each has all of them.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "compute/cpu_device.h"
#include "compute/update_plan.h"
#include "dtrain/error.h"
#include "model/network.h"

namespace dtrain::inline v0::model {
namespace {

using nlohmann::json;

/// A tensor and the memory behind it.
struct Tensor {
  explicit Tensor(const json& description) {
    shape = description.at("shape").get<Shape>();
    const std::string dtype = description.at("dtype");
    const json& values = description.at("values");
    if (dtype == "string") {
      texts = values.get<std::vector<std::string>>();
      for (const std::string& text : texts) views.push_back(text);
      view = tensor::view_of(std::span<const std::string_view>(views), shape);
    } else if (dtype == "int64") {
      integers = values.get<std::vector<std::int64_t>>();
      view = tensor::view_of(std::span<const std::int64_t>(integers), shape);
    } else if (dtype == "int32") {
      labels = values.get<std::vector<std::int32_t>>();
      view = tensor::view_of(std::span<const std::int32_t>(labels), shape);
    } else {
      floats = values.get<std::vector<float>>();
      view = tensor::view_of(std::span<const float>(floats), shape);
    }
  }
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;

  Shape shape;
  std::vector<float> floats;
  std::vector<std::int32_t> labels;
  std::vector<std::int64_t> integers;
  std::vector<std::string> texts;
  std::vector<std::string_view> views;
  tensor::View view;
};

std::vector<std::unique_ptr<Tensor>> tensors_of(const json& descriptions) {
  std::vector<std::unique_ptr<Tensor>> tensors;
  for (const json& one : descriptions) tensors.push_back(std::make_unique<Tensor>(one));
  return tensors;
}

json by_name(const Network& network, std::span<const float> arena) {
  json object = json::object();
  for (const tensor::LayoutEntry& entry : network.layout().entries()) {
    const auto values = arena.subspan(entry.offset, entry.count);
    object[entry.name] = std::vector<float>(values.begin(), values.end());
  }
  return object;
}

tensor::View part_of(const tensor::View& view, std::size_t begin, std::size_t count) {
  const std::size_t width = view.count / static_cast<std::size_t>(view.shape[0]);
  Shape shape = view.shape;
  shape[0] = static_cast<std::int64_t>(count);
  const auto part = [&]<typename T>(std::span<const T> elements) {
    return tensor::view_of(elements.subspan(begin * width, count * width), std::move(shape));
  };
  switch (view.dtype) {
    case DType::kFloat32:
      return part(view.as<float>());
    case DType::kInt32:
      return part(view.as<std::int32_t>());
    case DType::kInt64:
      return part(view.as<std::int64_t>());
    case DType::kString:
      return part(view.as<std::string_view>());
  }
  throw Error(ErrorCode::kInternal, "a tensor has no type");
}

tensor::Batch part_of(const tensor::Batch& all, std::size_t begin, std::size_t count) {
  tensor::Batch batch{.size = count};
  for (const tensor::View& view : all.inputs) batch.inputs.push_back(part_of(view, begin, count));
  for (const tensor::View& view : all.targets) batch.targets.push_back(part_of(view, begin, count));
  batch.example_indices = all.example_indices.subspan(begin, count);
  return batch;
}

Optimizer optimizer_of(const json& request) {
  const std::string name = request.at("optimizer");
  if (!request.contains("learning_rate")) return Optimizer(name);
  const float rate = request.at("learning_rate");
  if (name == "adam") return Adam{.learning_rate = rate};
  if (name == "sgd") return Sgd{.learning_rate = rate};
  if (name == "lion") return Lion{.learning_rate = rate};
  throw Error(ErrorCode::kInvalidArgument, "no learning rate can be given for " + name,
              "Leave it out, or extend optimizer_of()");
}

/// Returns the loss of each step.
std::vector<double> train(Network& network, const json& request, const tensor::Batch& all) {
  compute::Device& device = network.device();
  UpdateRules rules;
  if (!network.statistics().empty()) {
    rules.groups.push_back({.variables = network.statistics(), .statistics = true});
  }
  const Optimizer optimizer = optimizer_of(request);
  const compute::UpdatePlan plan(network.layout(), optimizer, rules);
  auto slots = compute::slot_arenas(optimizer, network.layout().count());
  const std::size_t size = request.value("batch_size", all.size);
  std::vector<double> losses;
  std::size_t begin = 0;
  for (int step = 1; step <= request.at("steps").get<int>(); ++step) {
    const tensor::Batch batch = part_of(all, begin, std::min(size, all.size - begin));
    begin = begin + size < all.size ? begin + size : 0;
    Sums sums;
    network.train_step(batch, step - 1, sums);
    compute::OptimizerUpdate update{.step = step,
                                    .values = network.values(),
                                    .updated = network.mutable_values(),
                                    .gradients = network.gradients()};
    for (std::size_t i = 0; i < slots.size(); ++i) update.slots[i] = slots[i].span();
    plan.for_each_part(0, update, {}, [&](const compute::OptimizerUpdate& part) {
      device.optimizer_step(optimizer, part);
    });
    losses.push_back(sums.mean_loss());
  }
  return losses;
}

json run(const json& request) {
  const auto device = compute::cpu_device();
  Network network(functional_from_json(request.at("model").dump()), 1, *device);
  for (const auto& [name, values] : request.at("weights").items()) {
    const tensor::LayoutEntry& entry = network.layout().at(name);
    const auto given = values.get<std::vector<float>>();
    if (given.size() != entry.count) {
      throw Error(ErrorCode::kInvalidArgument,
                  name + " has " + std::to_string(entry.count) + " elements, but was given " +
                      std::to_string(given.size()),
                  "Give all of them");
    }
    std::ranges::copy(given,
                      network.mutable_values().begin() + static_cast<std::ptrdiff_t>(entry.offset));
  }
  const auto inputs = tensors_of(request.at("inputs"));
  const auto targets = tensors_of(request.at("targets"));
  tensor::Batch batch{.size = static_cast<std::size_t>(inputs.front()->shape.front())};
  for (const auto& input : inputs) batch.inputs.push_back(input->view);
  std::vector<std::uint64_t> indices(batch.size);
  for (std::size_t i = 0; i < batch.size; ++i) indices[i] = i;
  batch.example_indices = indices;

  json result;
  std::vector<std::vector<float>> outputs;
  std::vector<std::span<float>> parts;
  for (std::size_t i = 0; i < network.graph().outputs.size(); ++i) {
    outputs.emplace_back(batch.size * network.output_count(i));
  }
  for (std::vector<float>& output : outputs) parts.emplace_back(output);
  network.predict_all(batch, parts);
  result["outputs"] = outputs;
  if (targets.empty()) return result;

  for (const auto& target : targets) batch.targets.push_back(target->view);
  const Loss loss(request.at("loss").get<std::string>());
  network.set_objectives(std::vector<ObjectiveOptions>(targets.size(), {.loss = loss}));
  Sums sums;
  network.train_step(batch, 0, sums);
  result["loss"] = sums.mean_loss();
  result["gradients"] = by_name(network, network.gradients());
  if (request.contains("optimizer")) {
    result["losses"] = train(network, request, batch);
    result["trained"] = by_name(network, network.values());
  }
  return result;
}

}  // namespace
}  // namespace dtrain::inline v0::model

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    nlohmann::json result;
    try {
      result = dtrain::model::run(nlohmann::json::parse(line));
    } catch (const std::exception& error) {
      result = {{"error", error.what()}};
    }
    std::cout << result.dump() << std::endl;
  }
}
