#include "model/layer_builder.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"
#include "tensor/initializer.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::model {

LayerBuilder::LayerBuilder(Graph& graph, std::size_t layer, std::vector<std::size_t> inputs,
                           bool is_output, std::uint64_t seed)
    : graph_(graph),
      layer_(layer),
      current_(std::move(inputs)),
      is_output_(is_output),
      seed_(seed) {
  if (current_.empty()) refuse("it has no input", "Give it the tensor that it is applied to");
}

std::string LayerBuilder::where() const {
  return base::str_cat("layer ", layer_, " (\"", name(), "\"): ");
}

void LayerBuilder::refuse(const std::string& happened, const std::string& advice) const {
  throw Error(ErrorCode::kInvalidArgument, where() + happened, advice);
}

std::size_t LayerBuilder::earlier_operations() const {
  return static_cast<std::size_t>(
      std::ranges::count(graph_.calls, layer_, [](const GraphCall& call) { return call.layer; }));
}

std::size_t LayerBuilder::columns() const { return static_cast<std::size_t>(input().shape.back()); }

std::size_t LayerBuilder::rows_per_example() const { return input().count / columns(); }

void LayerBuilder::take_one() const {
  if (current_.size() == 1) return;
  refuse(base::str_cat("it takes one input, but has ", current_.size()),
         "Join them with Concatenate, Add or Multiply first");
}

void LayerBuilder::take_floats() const {
  take_one();
  if (input().dtype != DType::kFloat32) {
    refuse(base::str_cat("it takes float32, but its input is ", dtype_name(input().dtype)),
           input().dtype == DType::kString
               ? "Put StringLookup or Hashing in front, and an Embedding or CategoryEncoding"
               : "Put an Embedding or a CategoryEncoding in front");
  }
  if (input().shape.empty()) {
    refuse("its input is one number without a dimension", "Give the model's input the shape {1}");
  }
}

void LayerBuilder::take_floats(std::size_t rank, const char* dimensions) const {
  take_floats();
  if (input().shape.size() == rank) return;
  refuse(base::str_cat("it takes ", dimensions, ", but its input has the shape ",
                       tensor::to_string(input().shape)),
         "Put a Reshape in front, or change the model's input");
}

void LayerBuilder::take_several() const {
  if (current_.size() < 2) {
    refuse(base::str_cat("it takes at least two inputs, but has ", current_.size()),
           "Give it all tensors that it joins");
  }
  for (const std::size_t index : current_) {
    const GraphTensor& tensor = graph_.tensors[index];
    if (tensor.dtype == DType::kFloat32) continue;
    refuse(base::str_cat("it joins float32 tensors, but one of them is ", dtype_name(tensor.dtype)),
           "Put an Embedding or a CategoryEncoding in front of that one");
  }
}

void LayerBuilder::take_host(std::initializer_list<DType> dtypes) const {
  take_one();
  const GraphTensor& tensor = input();
  if (!tensor.on_host) {
    refuse("it is a preprocessing layer behind a layer that computes",
           "Let it take an input of the model, or what another preprocessing layer gives");
  }
  if (std::ranges::find(dtypes, tensor.dtype) != dtypes.end()) return;
  std::vector<std::string_view> names;
  for (const DType dtype : dtypes) names.push_back(dtype_name(dtype));
  refuse(base::str_cat("it takes ", base::join(names, " or "), ", but its input is ",
                       dtype_name(tensor.dtype)),
         "Change Input::dtype, or use the layer for that type");
}

void LayerBuilder::check(const Initializer& initializer, const char* field) const {
  tensor::validate(initializer, base::str_cat(where(), field, ": "));
}

void LayerBuilder::check(const Regularizer& regularizer, const char* field) const {
  const auto fits = [](float factor) { return factor >= 0.0F && factor <= 1e30F; };
  if (fits(regularizer.l1) && fits(regularizer.l2)) return;
  refuse(base::str_cat(field, " has l1 = ", regularizer.l1, " and l2 = ", regularizer.l2),
         "Give numbers of at least 0");
}

void LayerBuilder::check_size(const Shape& shape, const std::string& what) const {
  try {
    tensor::element_count(shape);
  } catch (const Error&) {
    refuse(what + " are more than memory can address", "Use fewer of them");
  }
}

std::size_t LayerBuilder::add_tensor(DType dtype, Shape shape, bool on_host) {
  const std::size_t count = tensor::element_count(shape);
  const std::size_t index = graph_.tensors.size();
  graph_.tensors.push_back({.dtype = dtype,
                            .shape = std::move(shape),
                            .count = count,
                            .on_host = on_host,
                            .storage = index});
  return index;
}

void LayerBuilder::emit(std::unique_ptr<Operation> operation, Shape out) {
  const std::size_t result = add_tensor(DType::kFloat32, std::move(out), false);
  graph_.calls.push_back({.layer = layer_,
                          .operation = std::move(operation),
                          .host_operation = nullptr,
                          .in = std::move(current_),
                          .out = result});
  current_ = {result};
}

void LayerBuilder::emit(std::unique_ptr<HostOperation> operation, Shape out) {
  const std::size_t result = add_tensor(operation->output_dtype(), std::move(out), true);
  graph_.calls.push_back({.layer = layer_,
                          .operation = nullptr,
                          .host_operation = std::move(operation),
                          .in = std::move(current_),
                          .out = result});
  current_ = {result};
}

void LayerBuilder::reshape(Shape shape) {
  const GraphTensor before = input();
  const std::size_t result = add_tensor(before.dtype, std::move(shape), before.on_host);
  graph_.tensors[result].storage = before.storage;
  current_ = {result};
}

}  // namespace dtrain::inline v0::model
