#include "model/graph.h"

#include <map>
#include <set>
#include <utility>

#include "base/refuse.h"
#include "base/strings.h"
#include "dtrain/error.h"
#include "model/layer_builder.h"
#include "model/layer_fields.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::model {
namespace {

using base::refuse;

/// Keras's name for the first layer of a kind.
struct DefaultName {
  template <typename Kind>
  std::string operator()(const Kind& /*layer*/) const {
    return LayerFields<Kind>::kDefaultName;
  }
};

/// Gives what has no name Keras's: the kind, and from the second on its number.
class Names {
 public:
  /// `what`: "layer", "input".
  explicit Names(const char* what) : what_(what) {}

  void add(std::string name, const std::string& kind) {
    if (name.find('/') != std::string::npos) {
      refuse(base::str_cat(what_, " ", names_.size(), " is named \"", name, "\""),
             base::str_cat("Names of ", what_, "s must not contain '/'"));
    }
    if (name.empty()) {
      const int count = counts_[kind]++;
      name = count == 0 ? kind : base::str_cat(kind, "_", count);
    }
    const auto [first, is_new] = indices_.emplace(name, names_.size());
    if (!is_new) {
      refuse(base::str_cat(what_, "s ", first->second, " and ", names_.size(), " are both named \"",
                           name, "\""),
             base::str_cat("Give every ", what_, " a name of its own, or none"));
    }
    names_.push_back(std::move(name));
  }
  std::vector<std::string> take() { return std::move(names_); }

 private:
  const char* what_;
  std::map<std::string, int> counts_;
  std::map<std::string, std::size_t> indices_;
  std::vector<std::string> names_;
};

class GraphBuilder {
 public:
  GraphBuilder(const Functional& description, std::uint64_t seed)
      : description_(description), seed_(seed) {}

  Graph build() {
    graph_.layer_names = layer_names(description_);
    add_inputs();
    if (description_.calls.empty()) {
      refuse(base::str_cat("the model \"", description_.name, "\" has no layers"),
             "Give at least one layer");
    }
    for (std::size_t i = 0; i < description_.calls.size(); ++i) add_call(i);
    add_outputs();
    check_reached();
    return std::move(graph_);
  }

 private:
  void add_inputs() {
    if (description_.inputs.empty()) {
      refuse(base::str_cat("the model \"", description_.name, "\" has no inputs"),
             "Give it at least one Input");
    }
    Names names("input");
    for (const Input& input : description_.inputs) names.add(input.name, "input");
    graph_.input_names = names.take();
    for (std::size_t i = 0; i < description_.inputs.size(); ++i) {
      const auto& [shape, dtype, name] = description_.inputs[i];
      const std::string where = base::str_cat("input ", i, " (\"", graph_.input_names[i], "\") ");
      if (dtype == DType::kInt32) {
        refuse(where + "is int32", "Integers are int64 in a model: give DType::kInt64");
      }
      std::size_t count = 0;
      try {
        count = tensor::element_count(shape);
      } catch (const Error&) {
        refuse(where + "has the shape " + tensor::to_string(shape),
               "Give the shape of one example, without the batch: sizes of at least 1 whose "
               "product memory can address");
      }
      graph_.inputs.push_back(graph_.tensors.size());
      graph_.tensors.push_back({.dtype = dtype,
                                .shape = shape,
                                .count = count,
                                .on_host = true,
                                .storage = graph_.tensors.size()});
    }
  }

  std::size_t resolve(const SymbolicTensor& tensor, const std::string& where) const {
    const auto& known = tensor.is_input ? graph_.inputs : graph_.results;
    if (tensor.index < known.size()) return known[tensor.index];
    refuse(base::str_cat(where, " takes ", tensor.is_input ? "input " : "the result of call ",
                         tensor.index, ", but ", known.size(), " of them come before it"),
           "Use tensors that this description's input(), add() and call() have returned");
  }

  bool is_output(std::size_t call) const {
    for (const Output& output : description_.outputs) {
      if (!output.tensor.is_input && output.tensor.index == call) return true;
    }
    return false;
  }

  void add_call(std::size_t index) {
    const LayerCall& call = description_.calls[index];
    if (call.layer >= description_.layers.size()) {
      refuse(base::str_cat("call ", index, " is of layer ", call.layer, ", but there are ",
                           description_.layers.size(), " layers"),
             "Use the numbers that share() returns");
    }
    std::vector<std::size_t> inputs;
    for (const SymbolicTensor& tensor : call.inputs) {
      inputs.push_back(resolve(tensor, base::str_cat("layer ", call.layer, " (\"",
                                                     graph_.layer_names[call.layer], "\")")));
    }
    const std::size_t first = graph_.calls.size();
    LayerBuilder builder(graph_, call.layer, std::move(inputs), is_output(index), seed_);
    std::visit([&](const auto& layer) { model::build(layer, builder); },
               description_.layers[call.layer]);
    graph_.results.push_back(builder.result());
    check_shared(builder, first);
  }

  /// A layer that is called again has the variables of its first call.
  void check_shared(const LayerBuilder& builder, std::size_t first) {
    for (std::size_t i = first; i < graph_.calls.size(); ++i) {
      const GraphCall& call = graph_.calls[i];
      if (!call.operation) continue;
      for (const VariableSpec& spec : call.operation->variables()) {
        const auto [known, is_new] = shapes_.emplace(spec.name, spec.shape);
        if (is_new || known->second == spec.shape) continue;
        builder.refuse(base::str_cat("its variable \"", spec.name, "\" has the shape ",
                                     tensor::to_string(known->second),
                                     " from its first call, but this call needs ",
                                     tensor::to_string(spec.shape)),
                       "Call a shared layer with tensors of one shape");
      }
    }
  }

  void add_outputs() {
    if (description_.outputs.empty()) {
      refuse(base::str_cat("the model \"", description_.name, "\" has no outputs"),
             "Say what it gives with output()");
    }
    Names names("output");
    for (std::size_t i = 0; i < description_.outputs.size(); ++i) {
      const Output& output = description_.outputs[i];
      const std::size_t tensor = resolve(output.tensor, base::str_cat("output ", i));
      if (graph_.tensors[tensor].on_host) {
        refuse(base::str_cat("output ", i, " is an input or what a preprocessing layer gives"),
               "Let a layer that computes give the outputs");
      }
      graph_.outputs.push_back(tensor);
      names.add(output.name, graph_.layer_names[description_.calls[output.tensor.index].layer]);
    }
    graph_.output_names = names.take();
  }

  /// What leads to no output would be trained by nothing.
  void check_reached() const {
    std::set<std::size_t> layers;
    std::set<std::size_t> inputs;
    std::vector<bool> wanted(description_.calls.size());
    const auto want = [&](const SymbolicTensor& tensor) {
      if (tensor.is_input) {
        inputs.insert(tensor.index);
      } else {
        wanted[tensor.index] = true;
      }
    };
    for (const Output& output : description_.outputs) want(output.tensor);
    for (std::size_t i = description_.calls.size(); i-- > 0;) {
      const LayerCall& call = description_.calls[i];
      if (!wanted[i]) {
        refuse(base::str_cat("layer ", call.layer, " (\"", graph_.layer_names[call.layer],
                             "\"): what it gives leads to no output"),
               "Use it, make it an output, or leave the layer out");
      }
      layers.insert(call.layer);
      for (const SymbolicTensor& tensor : call.inputs) want(tensor);
    }
    for (std::size_t i = 0; i < description_.inputs.size(); ++i) {
      if (inputs.contains(i)) continue;
      refuse(base::str_cat("input ", i, " (\"", graph_.input_names[i], "\") leads to no output"),
             "Use it, or leave it out");
    }
    for (std::size_t i = 0; i < description_.layers.size(); ++i) {
      if (layers.contains(i)) continue;
      refuse(base::str_cat("layer ", i, " (\"", graph_.layer_names[i], "\") is never called"),
             "Call it, or leave it out");
    }
  }

  const Functional& description_;
  const std::uint64_t seed_;
  Graph graph_;
  std::map<std::string, Shape> shapes_;  ///< Of variables.
};

}  // namespace

std::vector<std::string> layer_names(const Functional& description) {
  Names names("layer");
  for (const Layer& layer : description.layers) {
    names.add(std::visit([](const auto& kind) { return kind.name; }, layer),
              std::visit(DefaultName{}, layer));
  }
  return names.take();
}

Graph build_graph(const Functional& description, std::uint64_t seed) {
  return GraphBuilder(description, seed).build();
}

}  // namespace dtrain::inline v0::model
