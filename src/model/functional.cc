#include "dtrain/functional.h"

#include <utility>

#include "dtrain/error.h"

namespace dtrain::inline v0 {

SymbolicTensor Functional::input(Input description) {
  inputs.push_back(std::move(description));
  return {.is_input = true, .index = inputs.size() - 1};
}

SymbolicTensor Functional::add(Layer layer, std::vector<SymbolicTensor> from) {
  return call(share(std::move(layer)), std::move(from));
}

std::size_t Functional::share(Layer layer) {
  layers.push_back(std::move(layer));
  return layers.size() - 1;
}

SymbolicTensor Functional::call(std::size_t layer, std::vector<SymbolicTensor> from) {
  calls.push_back({.layer = layer, .inputs = std::move(from)});
  return {.is_input = false, .index = calls.size() - 1};
}

void Functional::output(SymbolicTensor tensor, std::string output_name) {
  outputs.push_back({.tensor = tensor, .name = std::move(output_name)});
}

Functional to_functional(const Sequential& sequential) {
  if (sequential.input_shape.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "Sequential::input_shape is empty",
                "Give the shape of one example, such as {64} for 64 features");
  }
  if (sequential.layers.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "Sequential::layers is empty",
                "Give at least one layer");
  }
  Functional functional{.name = sequential.name};
  SymbolicTensor tensor =
      functional.input({.shape = sequential.input_shape, .dtype = sequential.input_dtype});
  for (const Layer& layer : sequential.layers) tensor = functional.add(layer, {tensor});
  functional.output(tensor);
  return functional;
}

}  // namespace dtrain::inline v0
