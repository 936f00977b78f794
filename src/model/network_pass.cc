// The passes of a step: what moves between a network's operations.
#include <algorithm>
#include <utility>
#include <vector>

#include "base/refuse.h"
#include "base/strings.h"
#include "model/network.h"

namespace dtrain::inline v0::model {
namespace {

using base::refuse;

/// The examples' numbers for messages, if the batch has them.
std::span<const std::uint64_t> indices_of(const tensor::Batch& batch) {
  if (batch.example_indices.size() != batch.size) return {};
  return batch.example_indices;
}

}  // namespace

void Network::check_inputs(const tensor::Batch& batch) const {
  if (batch.size == 0) refuse("the batch is empty", "Give at least 1 example");
  if (batch.size > batch_max_) {
    refuse(base::str_cat("a batch of ", batch.size, " examples needs more than memory can address"),
           "Give smaller batches, or a model with smaller tensors");
  }
  if (batch.inputs.size() != graph_.inputs.size()) {
    refuse(base::str_cat("the batch has ", batch.inputs.size(), " inputs, but the model takes ",
                         graph_.inputs.size(), ": ", base::join(graph_.input_names)),
           "Give one for each");
  }
  for (std::size_t i = 0; i < batch.inputs.size(); ++i) {
    const tensor::View& got = batch.inputs[i];
    const GraphTensor& needed = graph_.tensors[graph_.inputs[i]];
    const auto where = [&] {
      return batch.inputs.size() == 1 ? std::string("the inputs")
                                      : base::str_cat("input \"", graph_.input_names[i], "\"");
    };
    if (got.dtype != needed.dtype && !accepts(i, got.dtype)) {
      refuse(
          base::str_cat(where(), batch.inputs.size() == 1 ? " are " : " is ", dtype_name(got.dtype),
                        ", but the model takes ", dtype_name(needed.dtype)),
          "Give data of that type, or change the type of the model's input");
    }
    const Shape& shape = got.shape;
    const bool fits =
        !shape.empty() && shape[0] == static_cast<std::int64_t>(batch.size) &&
        std::equal(shape.begin() + 1, shape.end(), needed.shape.begin(), needed.shape.end()) &&
        got.count == batch.size * needed.count;
    if (fits) continue;
    Shape whole = needed.shape;
    whole.insert(whole.begin(), static_cast<std::int64_t>(batch.size));
    refuse(
        base::str_cat(where(), batch.inputs.size() == 1 ? " have" : " has", " the shape ",
                      tensor::to_string(shape), ", but the model takes ", tensor::to_string(whole),
                      ": ", batch.size, " examples of ", tensor::to_string(needed.shape)),
        "Change the shape of the model's input, or the columns of the data");
  }
}

bool Network::accepts(std::size_t input, DType dtype) const {
  if (dtype != DType::kInt64 && dtype != DType::kFloat32) return false;
  return std::ranges::all_of(graph_.calls, [&](const GraphCall& call) {
    const bool reads = std::ranges::any_of(
        call.in, [&](std::size_t in) { return storage_of(in) == graph_.inputs[input]; });
    return !reads || (call.operation && call.operation->takes_ids());
  });
}

Pass Network::make_pass(const tensor::Batch& batch, bool training, std::int64_t step) {
  open_pass_.reset();
  check_inputs(batch);
  for (TensorState& tensor : tensors_) {
    tensor.data = nullptr;
    tensor.gradient = kNone;
  }
  run_host_calls(batch);
  if (!lookups_.empty()) look_up_rows(batch);
  Pass pass{.device = device_,
            .examples = batch.size,
            .training = training,
            .step = step,
            .values = values_,
            .gradients = training ? gradients_ : std::span<float>()};
  if (!training || !needs_example_indices_) return pass;
  if (batch.example_indices.size() != batch.size) {
    refuse(base::str_cat("the batch has ", batch.size, " examples and ",
                         batch.example_indices.size(), " example indices"),
           "Dropout needs each example's index in the data set");
  }
  pass.example_indices = batch.example_indices;
  if (!device_.is_host_memory()) {
    const auto copy = example_indices_.reserve(device_, batch.size);
    device_.upload(copy.data(), batch.example_indices.data(), copy.size_bytes());
    pass.example_indices = copy;
  }
  return pass;
}

void Network::run_host_calls(const tensor::Batch& batch) {
  for (std::size_t i = 0; i < graph_.inputs.size(); ++i) {
    tensors_[graph_.inputs[i]].host = batch.inputs[i];
  }
  for (std::size_t i = 0; i < graph_.calls.size(); ++i) {
    const GraphCall& call = graph_.calls[i];
    if (!call.host_operation) continue;
    tensors_[call.out].host = call.host_operation->run(
        {tensors_[storage_of(call.in[0])].host, batch.size, indices_of(batch)}, calls_[i].host);
  }
}

void Network::look_up_rows(const tensor::Batch& batch) {
  for (RowLookup& lookup : lookups_) lookup.clear();
  for (const GraphCall& call : graph_.calls) {
    if (!call.operation || !call.operation->takes_ids()) continue;
    lookups_[layers_[call.layer].lookup].add(tensors_[storage_of(call.in[0])].host, batch.size,
                                             indices_of(batch));
  }
  for (RowLookup& lookup : lookups_) lookup.finish(device_);
  std::ranges::fill(next_ids_, 0);
  for (std::size_t i = 0; i < graph_.calls.size(); ++i) {
    const GraphCall& call = graph_.calls[i];
    if (!call.operation || !call.operation->takes_ids()) continue;
    const std::size_t lookup = layers_[call.layer].lookup;
    const std::size_t count = batch.size * graph_.tensors[call.in[0]].count;
    calls_[i].memory.ids = lookups_[lookup].ids().subspan(next_ids_[lookup], count);
    next_ids_[lookup] += count;
  }
  if (row_tables_.empty()) return;
  for (std::size_t table = 0; table < row_tables_.size(); ++table) {
    RowLookup& lookup = lookups_[table_lookups_[table]];
    requests_[table] = {table, lookup.keys(), lookup.fetched(device_)};
  }
  fetch_rows(requests_);
  for (const std::size_t lookup : table_lookups_) lookups_[lookup].upload(device_);
  for (std::size_t i = 0; i < graph_.calls.size(); ++i) {
    const GraphCall& call = graph_.calls[i];
    if (!call.operation || !call.operation->takes_ids()) continue;
    calls_[i].memory.rows = lookups_[layers_[call.layer].lookup].rows();
  }
}

const float* Network::on_device(std::size_t tensor) {
  const std::size_t storage = storage_of(tensor);
  TensorState& state = tensors_[storage];
  if (state.data != nullptr || !graph_.tensors[storage].on_host) return state.data;
  const auto host = state.host.as<float>();
  state.data = host.data();
  if (!device_.is_host_memory()) {
    const auto copy = state.copy.reserve(device_, host.size());
    device_.upload(copy.data(), host.data(), host.size_bytes());
    state.data = copy.data();
  }
  return state.data;
}

void Network::forward(const Pass& pass, bool for_loss) {
  for (std::size_t i = 0; i < graph_.calls.size(); ++i) {
    const GraphCall& call = graph_.calls[i];
    CallState& state = calls_[i];
    if (!call.operation || (for_loss && state.skipped_for_loss)) continue;
    if (!call.operation->takes_ids()) {
      for (std::size_t k = 0; k < call.in.size(); ++k) state.memory.in[k] = on_device(call.in[k]);
    }
    if (call.operation->is_identity(pass.training)) {
      tensors_[call.out].data = state.memory.in[0];
      continue;
    }
    const std::size_t count = pass.examples * graph_.tensors[call.out].count;
    state.memory.out = state.out.reserve(device_, count).data();
    const std::size_t saved = call.operation->saved_count(pass.examples);
    if (saved > 0) state.memory.saved = state.saved.reserve(device_, saved).data();
    call.operation->forward(pass, state.memory);
    tensors_[call.out].data = state.memory.out;
  }
}

void Network::check_targets(const tensor::Batch& batch) const {
  const Objectives& objectives = this->objectives();
  const bool none = batch.targets.empty() && objectives.size() == 1;
  if (!none && batch.targets.size() != objectives.size()) {
    refuse(base::str_cat("the batch has ", batch.targets.size(), " targets, but the model has ",
                         objectives.size(), " outputs: ", base::join(graph_.output_names)),
           "Give one for each");
  }
  for (std::size_t i = 0; i < objectives.size(); ++i) objectives[i].check(truth_of(batch, i));
}

Truth Network::truth_of(const tensor::Batch& batch, std::size_t output) const {
  static const tensor::View kNoTargets;
  return {.size = batch.size,
          .targets = batch.targets.empty() ? kNoTargets : batch.targets[output],
          .weights = batch.weights,
          .example_indices = batch.example_indices};
}

void Network::forward_and_measure(const Pass& pass, const tensor::Batch& batch, Sums& sums) {
  forward(pass, true);
  free_gradients();
  objectives_->prepare(sums);
  for (std::size_t i = 0; i < outputs_.size(); ++i) measure(pass, batch, i, sums);
  if (!regularized_.empty()) sums.loss += penalty() * static_cast<double>(batch.size);
  sums.examples += batch.size;
}

void Network::free_gradients() {
  free_gradient_buffers_.clear();
  for (std::size_t i = gradient_buffers_.size(); i-- > 0;) free_gradient_buffers_.push_back(i);
}

void Network::measure(const Pass& pass, const tensor::Batch& batch, std::size_t output,
                      Sums& sums) {
  const OutputState& state = outputs_[output];
  const std::size_t columns = output_count(output);
  const float* logits = on_device(state.loss_tensor);
  const float* values = state.skips_activation ? logits : on_device(graph_.outputs[output]);
  compute::Matrix gradient{nullptr, pass.examples, columns};
  std::size_t buffer = kNone;
  if (pass.training) {
    buffer = take_gradient_buffer(pass.examples);
    gradient.data = gradient_buffers_[buffer].data();
  }
  const LossSum loss = (*objectives_)[output].measure(
      device_,
      {.values = {values, pass.examples, columns}, .logits = {logits, pass.examples, columns}},
      truth_of(batch, output), gradient, objectives_->state(output, sums));
  objectives_->add(output, loss, sums);
  if (pass.training) add_gradient(storage_of(state.loss_tensor), buffer, pass.examples);
}

void Network::add_gradient(std::size_t storage, std::size_t buffer, std::size_t examples) {
  TensorState& tensor = tensors_[storage];
  if (tensor.gradient == kNone) {
    tensor.gradient = buffer;
    return;
  }
  const std::size_t count = examples * graph_.tensors[storage].count;
  device_.accumulate({gradient_buffers_[tensor.gradient].data(), count},
                     {gradient_buffers_[buffer].data(), count}, 1.0F);
  free_gradient_buffers_.push_back(buffer);
}

std::size_t Network::take_gradient_buffer(std::size_t examples) {
  if (free_gradient_buffers_.empty()) {
    free_gradient_buffers_.push_back(gradient_buffers_.size());
    gradient_buffers_.emplace_back();
  }
  const std::size_t index = free_gradient_buffers_.back();
  free_gradient_buffers_.pop_back();
  gradient_buffers_[index].reserve(device_, examples * outputs_max_);
  return index;
}

void Network::backward(Pass pass) {
  GradientMark mark(gradients_ready_);
  pass.mark = &mark;
  for (std::size_t i = graph_.calls.size(); i-- > first_trainable_;) {
    if (graph_.calls[i].operation) backward_call(pass, i);
  }
}

void Network::backward_call(const Pass& pass, std::size_t index) {
  const GraphCall& call = graph_.calls[index];
  CallMemory& memory = calls_[index].memory;
  const std::size_t gradient = tensors_[call.out].gradient;
  if (gradient == kNone) return;  // nobody's loss came here
  if (call.operation->is_identity(true)) {
    // Forward has not run it, so that backward could not.
    const std::size_t in = storage_of(call.in[0]);
    if (tensors_[in].wants_gradient) {
      add_gradient(in, gradient, pass.examples);
    } else {
      free_gradient_buffers_.push_back(gradient);
    }
    return;
  }
  memory.out_gradient = gradient_buffers_[gradient].data();
  std::vector<std::size_t>& buffers = calls_[index].in_gradient_buffers;
  for (std::size_t k = 0; k < call.in.size(); ++k) {
    const bool wanted = tensors_[storage_of(call.in[k])].wants_gradient;
    buffers[k] = wanted ? take_gradient_buffer(pass.examples) : kNone;
    memory.in_gradients[k] = wanted ? gradient_buffers_[buffers[k]].data() : nullptr;
  }
  backward_variables(pass, index);
  free_gradient_buffers_.push_back(gradient);
  for (std::size_t k = 0; k < call.in.size(); ++k) {
    if (buffers[k] != kNone) add_gradient(storage_of(call.in[k]), buffers[k], pass.examples);
  }
}

/// Runs a call's backward pass with its variables' gradients where they belong.
void Network::backward_variables(Pass pass, std::size_t index) {
  const GraphCall& call = graph_.calls[index];
  const LayerState& layer = layers_[call.layer];
  CallMemory& memory = calls_[index].memory;
  GradientMark* const mark = std::exchange(pass.mark, nullptr);
  if (!calls_[index].has_variables) {
    call.operation->backward(pass, memory);
    return;
  }
  // Backward comes to the last call first. Its gradients are the layer's, later ones are added.
  pass.later_calls = calls_[index].later_calls;
  const bool begins = pass.later_calls == 0;
  const bool ends = index == layer.first_call;
  if (layer.places.empty()) {
    const auto gradients = lookups_[layer.lookup].gradient_memory(device_);
    memory.row_gradients =
        begins ? gradients : shared_gradients_.reserve(device_, gradients.size());
    call.operation->backward(pass, memory);
    if (!begins) device_.accumulate(gradients, memory.row_gradients, 1.0F);
    return;
  }
  if (begins && ends && layer.regularized.empty()) pass.mark = mark;
  if (!begins) pass.gradients = shared_gradients_.reserve(device_, layout_.count());
  call.operation->backward(pass, memory);
  for (std::size_t i = 0; i < layer.places.size() && !begins; ++i) {
    const auto [offset, count] = layer.places[i];
    device_.accumulate(gradients_.subspan(offset, count), pass.gradients.subspan(offset, count),
                       1.0F);
  }
  if (!ends) return;
  for (const std::size_t i : layer.regularized) add_penalty_gradient(regularized_[i]);
  mark->reach(layer.end);
}

}  // namespace dtrain::inline v0::model
