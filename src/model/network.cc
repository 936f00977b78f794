#include "model/network.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"
#include "tensor/initializer.h"

namespace dtrain::inline v0::model {

Network::Network(Functional description, std::uint64_t seed, compute::Device& device,
                 NetworkOptions options)
    : device_(device),
      seed_(seed),
      options_(options),
      description_(std::move(description)),
      graph_(build_graph(description_, seed)) {
  plan_layers();
  plan_layout();
  plan_gradients();
  const auto values = own_values_.reserve(device_, layout_.count());
  const auto gradients = own_gradients_.reserve(device_, layout_.count());
  std::vector<float> initial(layout_.count());
  initial_values(initial);
  device_.upload(values.data(), initial.data(), values.size_bytes());
  device_.synchronize();
  values_ = values;
  gradients_ = gradients;
}

const Shape& Network::input_shape(std::size_t index) const {
  return graph_.tensors[graph_.inputs[index]].shape;
}
const Shape& Network::output_shape(std::size_t index) const {
  return graph_.tensors[graph_.outputs[index]].shape;
}
std::size_t Network::output_count(std::size_t index) const {
  return graph_.tensors[graph_.outputs[index]].count;
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
  for (const LayerState& layer : layers_) {
    if (layer.places.empty()) continue;
    for (const VariableSpec& spec : graph_.calls[layer.first_call].operation->variables()) {
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

void Network::fetch_rows(std::span<const RowRequest> requests) const {
  if (!fetch_rows_) {
    throw Error(ErrorCode::kFailedPrecondition,
                base::str_cat("the rows of \"", row_tables_[requests.front().table].name,
                              "\" are not on servers yet"),
                "Call compile() first");
  }
  fetch_rows_(requests);
}

std::span<const std::uint64_t> Network::row_keys(std::size_t table) const {
  return lookups_[table_lookups_[table]].keys();
}

std::span<const float> Network::row_gradients(std::size_t table) {
  return lookups_[table_lookups_[table]].gradients(device_);
}

Objectives Network::make_objectives(const std::vector<ObjectiveOptions>& outputs) const {
  if (outputs.size() != graph_.outputs.size()) {
    throw Error(
        ErrorCode::kInvalidArgument,
        base::str_cat("losses were given for ", outputs.size(), " outputs, but the model has ",
                      graph_.outputs.size(), ": ", base::join(graph_.output_names)),
        "Give one for each");
  }
  std::vector<Objectives::OutputObjective> objectives;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!(outputs[i].loss_weight >= 0.0F && outputs[i].loss_weight <= 1e30F)) {
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("the loss_weight of the output \"", graph_.output_names[i],
                                "\" is ", outputs[i].loss_weight),
                  "Give a number of at least 0");
    }
    const std::size_t call = final_activation(graph_.outputs[i]);
    const Activation activation =
        call == kNone ? Activation::kLinear : *graph_.calls[call].operation->activation();
    objectives.push_back({.output = graph_.output_names[i],
                          .loss_weight = outputs[i].loss_weight,
                          .objective = Objective(outputs[i], output_shape(i), activation)});
  }
  return Objectives(std::move(objectives));
}

void Network::set_objectives(const std::vector<ObjectiveOptions>& outputs) {
  objectives_ = make_objectives(outputs);
  outputs_.clear();
  for (CallState& call : calls_) call.skipped_for_loss = false;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Objective& objective = (*objectives_)[i];
    OutputState state{.loss_tensor = graph_.outputs[i],
                      .final_activation = final_activation(graph_.outputs[i])};
    if (objective.takes_logits()) {
      state.loss_tensor = graph_.calls[state.final_activation].in[0];
      state.skips_activation = !objective.metrics_need_outputs();
    }
    if (state.skips_activation) calls_[state.final_activation].skipped_for_loss = true;
    outputs_.push_back(state);
  }
}

/// The call that gives a tensor, if it is an activation and nobody else takes its result.
std::size_t Network::final_activation(std::size_t tensor) const {
  const std::size_t storage = storage_of(tensor);
  std::size_t found = kNone;
  for (std::size_t i = 0; i < graph_.calls.size(); ++i) {
    const GraphCall& call = graph_.calls[i];
    for (const std::size_t in : call.in) {
      if (storage_of(in) == storage) return kNone;
    }
    if (call.out == storage && call.operation && call.operation->activation()) found = i;
  }
  const auto gives = std::ranges::count_if(
      graph_.outputs, [&](std::size_t output) { return storage_of(output) == storage; });
  return gives == 1 ? found : kNone;
}

void Network::set_objective(const Loss& loss, std::vector<Metric> metrics,
                            std::vector<Metric> weighted_metrics) {
  set_objectives({{.loss = loss,
                   .metrics = std::move(metrics),
                   .weighted_metrics = std::move(weighted_metrics)}});
}

const Objectives& Network::objectives() const {
  if (!objectives_) {
    throw Error(ErrorCode::kFailedPrecondition, "the model has no loss yet",
                "Call compile() with a loss first");
  }
  return *objectives_;
}

double Network::penalty() {
  double sum = 0.0;
  for (const auto& [place, regularizer] : regularized_) {
    sum += device_.penalty({.l1 = regularizer.l1, .l2 = regularizer.l2},
                           values_.subspan(place.offset, place.count));
  }
  return sum;
}

void Network::add_penalty_gradient(const Regularized& regularized) {
  const auto [offset, count] = regularized.place;
  const auto [l1, l2] = regularized.regularizer;
  device_.penalty_gradient({.l1 = l1, .l2 = l2}, values_.subspan(offset, count),
                           gradients_.subspan(offset, count));
}

void Network::train_step(const tensor::Batch& batch, std::int64_t step, Sums& sums) {
  check_targets(batch);
  const Pass pass = make_pass(batch, true, step);
  forward_and_measure(pass, batch, sums);
  backward(pass);
}

void Network::evaluate_step(const tensor::Batch& batch, Sums& sums) {
  check_targets(batch);
  forward_and_measure(make_pass(batch, false, 0), batch, sums);
}

void Network::check_outs(std::size_t examples, std::span<const std::span<float>> outs) const {
  if (outs.size() != graph_.outputs.size()) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("memory was given for ", outs.size(), " outputs"),
                base::str_cat("The model has ", graph_.outputs.size(), ": ",
                              base::join(graph_.output_names)));
  }
  for (std::size_t i = 0; i < outs.size(); ++i) {
    const std::size_t count = examples * output_count(i);
    if (outs[i].size() == count) continue;
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("the memory for predictions has ", outs[i].size(), " elements"),
                base::str_cat("Give batch.size * output_count() of them: ", count));
  }
}

void Network::download_outputs(std::span<const std::span<float>> outs) {
  for (std::size_t i = 0; i < outs.size(); ++i) {
    device_.download(outs[i].data(), on_device(graph_.outputs[i]), outs[i].size_bytes());
  }
}

void Network::predict_all(const tensor::Batch& batch, std::span<const std::span<float>> outs) {
  const Pass pass = make_pass(batch, false, 0);
  check_outs(batch.size, outs);
  forward(pass, false);
  download_outputs(outs);
}

void Network::forward_step(const tensor::Batch& batch, bool training, std::int64_t step,
                           std::span<const std::span<float>> outs) {
  const Pass pass = make_pass(batch, training, step);
  check_outs(batch.size, outs);
  forward(pass, false);
  download_outputs(outs);
  if (training) open_pass_.emplace(pass);
}

void Network::backward_step(std::span<const std::span<const float>> output_gradients) {
  if (!open_pass_) {
    throw Error(ErrorCode::kFailedPrecondition, "backward has no forward pass to go back through",
                "Call forward() in training before each backward()");
  }
  if (output_gradients.size() != graph_.outputs.size()) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("gradients were given for ", output_gradients.size(), " outputs"),
                base::str_cat("The model has ", graph_.outputs.size(), ": ",
                              base::join(graph_.output_names)));
  }
  for (std::size_t i = 0; i < output_gradients.size(); ++i) {
    const std::size_t count = open_pass_->examples * output_count(i);
    if (output_gradients[i].empty() || output_gradients[i].size() == count) continue;
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("the gradient of the output \"", graph_.output_names[i], "\" has ",
                              output_gradients[i].size(), " elements"),
                base::str_cat("Give as many as forward() gave: ", count, ", or none for zeros"));
  }
  const Pass pass = *open_pass_;
  open_pass_.reset();
  free_gradients();
  for (std::size_t i = 0; i < output_gradients.size(); ++i) {
    const std::size_t buffer = take_gradient_buffer(pass.examples);
    const std::span<float> gradient(gradient_buffers_[buffer].data(),
                                    pass.examples * output_count(i));
    if (output_gradients[i].empty()) {
      device_.fill(gradient, 0.0F);
    } else {
      device_.upload(gradient.data(), output_gradients[i].data(), gradient.size_bytes());
    }
    add_gradient(storage_of(graph_.outputs[i]), buffer, pass.examples);
  }
  backward(pass);
}

void Network::predict(const tensor::Batch& batch, std::span<float> out) {
  predict_all(batch, std::span<const std::span<float>>(&out, 1));
}

}  // namespace dtrain::inline v0::model
