// Descriptions as JSON.
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "dtrain/error.h"
#include "dtrain/functional.h"
#include "model/layer_json.h"

namespace dtrain::inline v0 {
namespace model {

template <>
struct EnumNames<DType> {
  static constexpr std::array kNames = {EnumName<DType>{DType::kFloat32, "float32"},
                                        EnumName<DType>{DType::kInt64, "int64"},
                                        EnumName<DType>{DType::kString, "string"}};
};

static Json to_value(const SymbolicTensor& tensor) {
  return {{tensor.is_input ? "input" : "call", tensor.index}};
}

static void from_value(const Json& json, const std::string& path, SymbolicTensor& tensor) {
  tensor.is_input = json.contains("input");
  if (tensor.is_input && json.contains("call")) {
    refuse(path, "is " + shown(json), "Give an input or a call");
  }
  const char* kind = tensor.is_input ? "input" : "call";
  from_value(member(json, path, kind), base::str_cat(path, ".", kind), tensor.index);
}

static Json graph_to_json(const Functional& model) {
  Json json = {{"format", "dtrain-functional-1"}, {"name", model.name}};
  json["inputs"] = Json::array();
  for (const Input& input : model.inputs) {
    Json object = {{"shape", to_value(input.shape)}, {"dtype", to_value(input.dtype)}};
    if (!input.name.empty()) object["name"] = input.name;
    json["inputs"].push_back(std::move(object));
  }
  json["layers"] = Json::array();
  for (const Layer& layer : model.layers) {
    json["layers"].push_back(layer_to_json(layer));
  }
  json["calls"] = Json::array();
  for (const LayerCall& call : model.calls) {
    Json inputs = Json::array();
    for (const SymbolicTensor& tensor : call.inputs) inputs.push_back(to_value(tensor));
    json["calls"].push_back({{"layer", call.layer}, {"inputs", std::move(inputs)}});
  }
  json["outputs"] = Json::array();
  for (const Output& output : model.outputs) {
    Json object = to_value(output.tensor);
    if (!output.name.empty()) object["name"] = output.name;
    json["outputs"].push_back(std::move(object));
  }
  return json;
}

static Functional graph_from_json(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) refuse("the text", "is no JSON", "Correct its syntax");
  check_members(json, "the model", {"format", "name", "inputs", "layers", "calls", "outputs"});
  std::string format;
  from_value(member(json, "the model", "format"), "format", format);
  if (format != "dtrain-functional-1") {
    refuse("format", base::str_cat("is \"", format, "\""),
           "This version reads dtrain-functional-1");
  }
  const auto list = [&](const char* name) -> const Json& {
    const Json& values = member(json, "the model", name);
    if (!values.is_array()) refuse(name, "is " + shown(values), "Give a list");
    return values;
  };
  const auto at = [](const char* name, std::size_t i) { return base::str_cat(name, "[", i, "]"); };
  Functional model;
  from_value(member(json, "the model", "name"), "name", model.name);
  for (const Json& object : list("inputs")) {
    const std::string path = at("inputs", model.inputs.size());
    check_members(object, path, {"shape", "dtype", "name"});
    Input& input = model.inputs.emplace_back();
    from_value(member(object, path, "shape"), path + ".shape", input.shape);
    from_value(member(object, path, "dtype"), path + ".dtype", input.dtype);
    if (object.contains("name")) from_value(object["name"], path + ".name", input.name);
  }
  for (const Json& object : list("layers")) {
    const std::string path = at("layers", model.layers.size());
    layer_from_json(object, path, model.layers.emplace_back());
  }
  for (const Json& object : list("calls")) {
    const std::string path = at("calls", model.calls.size());
    check_members(object, path, {"layer", "inputs"});
    LayerCall& call = model.calls.emplace_back();
    from_value(member(object, path, "layer"), path + ".layer", call.layer);
    const Json& from = member(object, path, "inputs");
    if (!from.is_array()) refuse(path + ".inputs", "is " + shown(from), "Give a list");
    for (const Json& tensor : from) {
      const std::string place = base::str_cat(path, ".inputs[", call.inputs.size(), "]");
      check_members(tensor, place, {"input", "call"});
      from_value(tensor, place, call.inputs.emplace_back());
    }
  }
  for (const Json& object : list("outputs")) {
    const std::string path = at("outputs", model.outputs.size());
    check_members(object, path, {"input", "call", "name"});
    Output& output = model.outputs.emplace_back();
    from_value(object, path, output.tensor);
    if (object.contains("name")) from_value(object["name"], path + ".name", output.name);
  }
  return model;
}

}  // namespace model

std::string to_json(const Functional& model) {
  try {
    return model::graph_to_json(model).dump(2);
  } catch (const model::Json::exception&) {
    throw Error(ErrorCode::kInvalidArgument, "a text of the model is not UTF-8, as JSON is",
                "Give names and vocabularies in UTF-8");
  }
}

Functional functional_from_json(std::string_view json) { return model::graph_from_json(json); }

}  // namespace dtrain::inline v0
