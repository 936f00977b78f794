// The table of layers that Model::summary() gives.
#include <algorithm>
#include <iomanip>
#include <sstream>
#include <string>
#include <vector>

#include "base/strings.h"
#include "dtrain/model.h"
#include "strategy/model_impl.h"

namespace dtrain::inline v0 {
namespace {

struct SummaryRow {
  std::string layer;
  std::string output_shape;
  std::string parameters;
  std::string sources;  ///< Empty in a stack, where each takes what the one before gives.
};

/// A layer's output with the batch in front, as Keras shows it.
std::string batch_shape(const Shape& shape) {
  std::string text = "(None";
  for (const std::int64_t size : shape) text += base::str_cat(", ", size);
  return text + ")";
}

std::size_t parameters_of(const model::Network& network, const std::string& layer) {
  std::size_t parameters = 0;
  for (const tensor::LayoutEntry& entry : network.layout().entries()) {
    if (entry.name.starts_with(layer + "/")) parameters += entry.count;
  }
  for (const RowTable& table : network.row_tables()) {
    if (!table.name.starts_with(layer + "/")) continue;
    parameters += static_cast<std::size_t>(table.rows) * static_cast<std::size_t>(table.width);
  }
  return parameters;
}

/// Whether each layer is called once and takes what the one before gives.
bool is_stack(const Functional& description) {
  if (description.inputs.size() != 1 || description.calls.size() != description.layers.size()) {
    return false;
  }
  for (std::size_t i = 0; i < description.calls.size(); ++i) {
    const SymbolicTensor before{.is_input = i == 0, .index = i == 0 ? 0 : i - 1};
    if (description.calls[i] != LayerCall{.layer = i, .inputs = {before}}) return false;
  }
  return true;
}

/// One for each input and each call of a layer; parameters stand at a layer's first call.
std::vector<SummaryRow> summary_rows(const model::Network& network) {
  const Functional& description = network.description();
  const model::Graph& graph = network.graph();
  std::vector<SummaryRow> rows;
  const bool stack = is_stack(description);
  if (!stack) {
    for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
      rows.push_back(
          {graph.input_names[i], batch_shape(graph.tensors[graph.inputs[i]].shape), "0", ""});
    }
  }
  std::vector<bool> seen(description.layers.size());
  for (std::size_t i = 0; i < description.calls.size(); ++i) {
    const LayerCall& call = description.calls[i];
    const std::string& name = graph.layer_names[call.layer];
    std::vector<std::string> sources;
    for (const SymbolicTensor& from : call.inputs) {
      sources.push_back(from.is_input ? graph.input_names[from.index]
                                      : graph.layer_names[description.calls[from.index].layer]);
    }
    rows.push_back({name, batch_shape(graph.tensors[graph.results[i]].shape),
                    base::str_cat(seen[call.layer] ? 0 : parameters_of(network, name)),
                    stack ? std::string() : base::join(sources)});
    seen[call.layer] = true;
  }
  return rows;
}

}  // namespace

std::string Model::summary() const {
  std::vector<SummaryRow> rows = summary_rows(impl_->network());
  const bool stack = rows.back().sources.empty();
  const SummaryRow head{"Layer", "Output shape", "Parameters", stack ? "" : "Takes"};
  std::size_t name_width = head.layer.size();
  std::size_t shape_width = head.output_shape.size();
  for (const SummaryRow& row : rows) {
    name_width = std::max(name_width, row.layer.size());
    shape_width = std::max(shape_width, row.output_shape.size());
  }
  rows.insert(rows.begin(), head);
  std::ostringstream out;
  out << "Model: \"" << impl_->description().name << "\"\n";
  for (const SummaryRow& row : rows) {
    out << std::left << std::setw(static_cast<int>(name_width) + 2) << row.layer
        << std::setw(static_cast<int>(shape_width) + 2) << row.output_shape << std::right
        << std::setw(10) << row.parameters << (stack ? "" : "  ") << row.sources << '\n';
  }
  out << "Parameters: " << parameter_count() << " (" << parameter_count() * sizeof(float)
      << " bytes)\n";
  return out.str();
}

}  // namespace dtrain::inline v0
