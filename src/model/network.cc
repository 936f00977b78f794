#include "model/network.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"
#include "tensor/initializer.h"

namespace dtrain::inline v0::model {

Network::Network(const Sequential& description, std::uint64_t seed, compute::Device& device,
                 NetworkOptions options)
    : device_(device),
      seed_(seed),
      options_(options),
      input_shape_(description.input_shape),
      stages_(build_stages(description, seed)),
      input_count_(tensor::element_count(description.input_shape)) {
  output_shape_ = stages_.back().output_shape;
  outputs_.resize(stages_.size());
  in_.resize(stages_.size() + 1);
  for (const Stage& stage : stages_) {
    outputs_max_ = std::max(outputs_max_, stage.outputs);
    if (stage.operation->needs_example_indices()) needs_example_indices_ = true;
  }
  plan_layout();
  const auto values = own_values_.reserve(device_, layout_.count());
  const auto gradients = own_gradients_.reserve(device_, layout_.count());
  std::vector<float> initial(layout_.count());
  initial_values(initial);
  device_.upload(values.data(), initial.data(), values.size_bytes());
  device_.synchronize();
  values_ = values;
  gradients_ = gradients;
}

void Network::plan_layout() {
  std::vector<Variable> variables;
  std::vector<std::size_t> counts(stages_.size());
  for (std::size_t i = stages_.size(); i-- > 0;) {
    const bool takes_ids = stages_[i].operation->takes_ids();
    for (const VariableSpec& spec : stages_[i].operation->variables()) {
      if (takes_ids) id_count_ = spec.shape[0];
      if (takes_ids && options_.rows_elsewhere) {
        row_table_ = RowTable{.name = spec.name,
                              .rows = spec.shape[0],
                              .width = spec.shape[1],
                              .initializer = spec.initializer,
                              .seed = seed_};
        continue;
      }
      variables.push_back({.name = spec.name, .shape = spec.shape});
      ++counts[i];
    }
  }
  layout_ = tensor::Layout::plan(variables);
  slots_.resize(stages_.size());
  first_trainable_ = stages_.size();
  const std::vector<tensor::LayoutEntry>& entries = layout_.entries();
  std::size_t next = 0;
  for (std::size_t i = stages_.size(); i-- > 0;) {
    if (row_table_ && stages_[i].operation->takes_ids()) first_trainable_ = i;
    if (counts[i] == 0) continue;
    first_trainable_ = i;
    std::vector<Place> places;
    for (std::size_t entry = next; entry < next + counts[i]; ++entry) {
      places.push_back({entries[entry].offset, entries[entry].count});
    }
    stages_[i].operation->bind(places);
    const std::size_t end = next + counts[i];
    slots_[i] = {entries[next].offset,
                 end < entries.size() ? entries[end].offset : layout_.count()};
    std::vector<std::size_t> order;
    for (; next < end; ++next) order.push_back(next);
    weight_order_.insert(weight_order_.begin(), order.begin(), order.end());
  }
}

std::vector<Variable> Network::declarations(std::span<const float> values) const {
  std::vector<Variable> variables;
  for (const tensor::LayoutEntry& entry : layout_.entries()) {
    Variable variable{.name = entry.name, .shape = entry.shape};
    if (!values.empty()) variable.initial = values.subspan(entry.offset, entry.count);
    variables.push_back(std::move(variable));
  }
  return variables;
}

void Network::initial_values(std::span<float> values) const {
  if (values.size() != layout_.count()) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("the memory for first values has ", values.size(), " elements"),
                base::str_cat("Give layout().count() of them: ", layout_.count()));
  }
  std::fill(values.begin(), values.end(), 0.0F);
  for (const Stage& stage : stages_) {
    if (row_table_ && stage.operation->takes_ids()) continue;
    for (const VariableSpec& spec : stage.operation->variables()) {
      const tensor::LayoutEntry& entry = layout_.at(spec.name);
      tensor::initialize(spec.initializer, spec.shape, seed_, spec.name,
                         values.subspan(entry.offset, entry.count));
    }
  }
}

void Network::bind(std::span<const float> values, std::span<float> gradients) {
  if (values.size() != layout_.count() || gradients.size() != layout_.count()) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("the arenas have ", values.size(), " values and ", gradients.size(),
                              " gradients"),
                base::str_cat("Give layout().count() of each: ", layout_.count()));
  }
  values_ = values;
  gradients_ = gradients;
  own_values_ = {};
  own_gradients_ = {};
  is_bound_ = true;
}

std::span<float> Network::mutable_values() {
  if (is_bound_) {
    throw Error(ErrorCode::kFailedPrecondition,
                "the network computes with values that were lent to it by bind()",
                "Write to the memory that was lent");
  }
  return {own_values_.data(), layout_.count()};
}

void Network::set_objective(const Loss& loss, std::vector<Metric> metrics,
                            std::vector<Metric> weighted_metrics) {
  objective_.emplace(ObjectiveOptions{.loss = loss,
                                      .metrics = std::move(metrics),
                                      .weighted_metrics = std::move(weighted_metrics)},
                     output_shape_, stages_.back().operation->activation());
}

const Objective& Network::objective() const {
  if (!objective_) {
    throw Error(ErrorCode::kFailedPrecondition, "the model has no loss yet",
                "Call compile() with a loss first");
  }
  return *objective_;
}

void Network::check_inputs(const tensor::Batch& batch) const {
  if (batch.size == 0) {
    throw Error(ErrorCode::kInvalidArgument, "the batch is empty", "Give at least 1 example");
  }
  if (batch.inputs.size() != 1) {
    throw Error(
        ErrorCode::kInvalidArgument,
        base::str_cat("the batch has ", batch.inputs.size(), " inputs, the model takes one"),
        "Give one input");
  }
  const bool ids = id_count_ > 0 && batch.inputs[0].dtype == tensor::DType::kInt64;
  if (batch.inputs[0].dtype != tensor::DType::kFloat32 && !ids) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("the model's inputs are ", dtype_name(batch.inputs[0].dtype)),
                id_count_ > 0 ? "Give them as int64 or float32" : "Give them as float32");
  }
  const Shape& got = batch.inputs[0].shape;
  const bool fits =
      !got.empty() && got[0] == static_cast<std::int64_t>(batch.size) &&
      std::equal(got.begin() + 1, got.end(), input_shape_.begin(), input_shape_.end()) &&
      batch.inputs[0].count == batch.size * input_count_;
  if (fits) return;
  Shape needed = input_shape_;
  needed.insert(needed.begin(), static_cast<std::int64_t>(batch.size));
  throw Error(ErrorCode::kInvalidArgument,
              base::str_cat("the inputs have the shape ", tensor::to_string(got),
                            ", but the model takes ", tensor::to_string(needed), ": ", batch.size,
                            " examples of ", tensor::to_string(input_shape_)),
              "Change Sequential::input_shape, or the columns of the data");
}

Truth Network::truth_of(const tensor::Batch& batch) {
  static const tensor::View kNone;
  if (batch.targets.size() > 1) {
    throw Error(
        ErrorCode::kInvalidArgument,
        base::str_cat("the batch has ", batch.targets.size(), " targets, the model one output"),
        "Give one target");
  }
  return {.size = batch.size,
          .targets = batch.targets.empty() ? kNone : batch.targets.front(),
          .weights = batch.weights,
          .example_indices = batch.example_indices};
}

void Network::train_step(const tensor::Batch& batch, std::int64_t step, Sums& sums) {
  objective().check(truth_of(batch));
  const Pass pass = make_pass(batch, true, step);
  const std::size_t count = forward_and_measure(pass, batch, sums);
  backward(pass, count, gradient_buffers_[0].data());
}

void Network::evaluate_step(const tensor::Batch& batch, Sums& sums) {
  objective().check(truth_of(batch));
  forward_and_measure(make_pass(batch, false, 0), batch, sums);
}

void Network::predict(const tensor::Batch& batch, std::span<float> out) {
  const Pass pass = make_pass(batch, false, 0);
  const std::size_t count = batch.size * output_count();
  if (out.size() != count) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("the memory for predictions has ", out.size(), " elements"),
                base::str_cat("Give batch.size * output_count() of them: ", count));
  }
  forward(pass, batch, stages_.size());
  device_.download(out.data(), in_.back(), out.size_bytes());
}

}  // namespace dtrain::inline v0::model
