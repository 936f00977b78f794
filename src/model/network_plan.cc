// What is decided when a network is built: who lies where, and whom a gradient has to reach.
#include <algorithm>
#include <numeric>
#include <utility>

#include "base/strings.h"
#include "model/network.h"

namespace dtrain::inline v0::model {

void Network::plan_layers() {
  layers_.resize(description_.layers.size());
  calls_.resize(graph_.calls.size());
  tensors_.resize(graph_.tensors.size());
  std::size_t elements = 1;
  for (const GraphTensor& tensor : graph_.tensors) {
    elements = std::max(elements, tensor.count);
    if (!tensor.on_host) outputs_max_ = std::max(outputs_max_, tensor.count);
  }
  // Operations keep a few times as many as their tensors have.
  constexpr std::size_t kElementsMax = std::size_t{1} << 56;
  batch_max_ = kElementsMax / elements;
  for (std::size_t i = 0; i < graph_.calls.size(); ++i) {
    const GraphCall& call = graph_.calls[i];
    calls_[i].memory.in.resize(call.in.size());
    calls_[i].memory.in_gradients.resize(call.in.size());
    calls_[i].in_gradient_buffers.resize(call.in.size());
    if (!call.operation) continue;
    if (call.operation->needs_example_indices()) needs_example_indices_ = true;
    const std::vector<VariableSpec> specs = call.operation->variables();
    if (specs.empty()) continue;
    calls_[i].has_variables = true;
    LayerState& layer = layers_[call.layer];
    if (layer.first_call == kNone) layer.first_call = i;
    if (call.operation->takes_ids()) plan_rows(i, specs.front());
  }
  std::vector<std::size_t> later_calls(layers_.size());
  for (std::size_t i = graph_.calls.size(); i-- > 0;) {
    if (calls_[i].has_variables) calls_[i].later_calls = later_calls[graph_.calls[i].layer]++;
  }
  requests_.resize(row_tables_.size());
  next_ids_.resize(lookups_.size());
}

void Network::plan_rows(std::size_t call, const VariableSpec& spec) {
  LayerState& layer = layers_[graph_.calls[call].layer];
  if (layer.lookup != kNone) return;
  layer.lookup = lookups_.size();
  const std::string& name = graph_.layer_names[graph_.calls[call].layer];
  lookups_.emplace_back(base::str_cat("embedding \"", name, "\": "), spec.shape[0],
                        static_cast<std::size_t>(spec.shape[1]), options_.rows_elsewhere);
  if (!options_.rows_elsewhere) return;
  row_tables_.push_back({.name = spec.name,
                         .rows = spec.shape[0],
                         .width = spec.shape[1],
                         .initializer = spec.initializer,
                         .seed = seed_});
  table_lookups_.push_back(layer.lookup);
}

/// A layer's gradient is whole when its first call has gone backward, so layers lie in the order of
/// their first calls, the last one in front.
void Network::plan_layout() {
  std::vector<std::size_t> order(layers_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::erase_if(order, [&](std::size_t i) {
    const LayerState& layer = layers_[i];
    return layer.first_call == kNone || (layer.lookup != kNone && options_.rows_elsewhere);
  });
  std::ranges::sort(order, std::ranges::greater(),
                    [&](std::size_t i) { return layers_[i].first_call; });
  std::vector<Variable> variables;
  std::vector<std::vector<std::size_t>> entries_of(layers_.size());
  for (const std::size_t i : order) {
    for (const VariableSpec& spec : graph_.calls[layers_[i].first_call].operation->variables()) {
      entries_of[i].push_back(variables.size());
      variables.push_back({.name = spec.name, .shape = spec.shape});
    }
  }
  layout_ = tensor::Layout::plan(variables);
  const std::vector<tensor::LayoutEntry>& entries = layout_.entries();
  for (const std::size_t i : order) {
    LayerState& layer = layers_[i];
    for (const std::size_t entry : entries_of[i]) {
      layer.places.push_back({entries[entry].offset, entries[entry].count});
    }
    layer.begin = layer.places.front().offset;
    const std::size_t next = entries_of[i].back() + 1;
    layer.end = next < entries.size() ? entries[next].offset : layout_.count();
    const std::vector<VariableSpec> specs = graph_.calls[layer.first_call].operation->variables();
    for (std::size_t k = 0; k < specs.size(); ++k) {
      if (specs[k].kind == VariableKind::kStatistic) statistics_.push_back(specs[k].name);
      if (specs[k].regularizer == Regularizer{}) continue;
      layer.regularized.push_back(regularized_.size());
      regularized_.push_back({layer.places[k], specs[k].regularizer});
    }
  }
  for (const std::vector<std::size_t>& entries_of_layer : entries_of) {
    weight_order_.insert(weight_order_.end(), entries_of_layer.begin(), entries_of_layer.end());
  }
  for (std::size_t i = 0; i < graph_.calls.size(); ++i) {
    const LayerState& layer = layers_[graph_.calls[i].layer];
    if (calls_[i].has_variables && !layer.places.empty()) {
      graph_.calls[i].operation->bind(layer.places);
    }
  }
}

void Network::plan_gradients() {
  first_trainable_ = graph_.calls.size();
  for (std::size_t i = 0; i < graph_.calls.size(); ++i) {
    const GraphCall& call = graph_.calls[i];
    if (!call.operation) continue;
    bool wants = calls_[i].has_variables;
    if (wants) first_trainable_ = std::min(first_trainable_, i);
    for (const std::size_t in : call.in) wants = wants || tensors_[storage_of(in)].wants_gradient;
    tensors_[call.out].wants_gradient = wants;
  }
}

}  // namespace dtrain::inline v0::model
