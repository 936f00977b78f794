// Descriptions as JSON. Layers are objects of Keras's class name and their fields; fields that have
// their default are left out, and may be.
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/strings.h"
#include "dtrain/error.h"
#include "dtrain/functional.h"
#include "model/layer_fields.h"

namespace dtrain::inline v0 {
namespace {

using model::LayerFields;
using Json = nlohmann::ordered_json;

[[noreturn]] void refuse(const std::string& path, const std::string& happened,
                         const std::string& advice) {
  throw Error(ErrorCode::kInvalidArgument, base::str_cat("the model's JSON: ", path, " ", happened),
              advice);
}

/// The text of a value for a message.
std::string shown(const Json& json) {
  constexpr std::size_t kShownMax = 60;
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= kShownMax ? text : text.substr(0, kShownMax) + "...";
}

// --- Values: to_value(x) and from_value(json, path, x) for every type of a field.

template <typename Enum>
struct EnumName {
  Enum value;
  const char* name;
};
constexpr std::array kPaddings = {EnumName<Padding>{Padding::kValid, "valid"},
                                  EnumName<Padding>{Padding::kSame, "same"},
                                  EnumName<Padding>{Padding::kCausal, "causal"}};
constexpr std::array kCombiners = {EnumName<Combiner>{Combiner::kSum, "sum"},
                                   EnumName<Combiner>{Combiner::kMean, "mean"}};
constexpr std::array kCategoryOutputs = {
    EnumName<CategoryOutput>{CategoryOutput::kOneHot, "one_hot"},
    EnumName<CategoryOutput>{CategoryOutput::kMultiHot, "multi_hot"},
    EnumName<CategoryOutput>{CategoryOutput::kCount, "count"}};
constexpr std::array kDTypes = {EnumName<DType>{DType::kFloat32, "float32"},
                                EnumName<DType>{DType::kInt64, "int64"},
                                EnumName<DType>{DType::kString, "string"}};

constexpr const auto& names_of(Padding /*kind*/) { return kPaddings; }
constexpr const auto& names_of(Combiner /*kind*/) { return kCombiners; }
constexpr const auto& names_of(CategoryOutput /*kind*/) { return kCategoryOutputs; }
constexpr const auto& names_of(DType /*kind*/) { return kDTypes; }

Json to_value(bool value) { return value; }
Json to_value(std::int64_t value) { return value; }
Json to_value(std::uint64_t value) { return value; }
Json to_value(int value) { return value; }
/// The shortest decimal number that is this float.
Json to_value(float value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double number = 0.0;
  std::from_chars(text.data(), end, number);
  return number;
}
Json to_value(const std::string& value) { return value; }
Json to_value(Activation value) { return std::string(activation_name(value)); }
template <typename Enum>
requires std::is_enum_v<Enum> Json to_value(Enum value) {
  for (const auto& [known, name] : names_of(Enum{})) {
    if (known == value) return name;
  }
  return names_of(Enum{})[0].name;
}
template <typename T>
Json to_value(const std::optional<T>& value) {
  return value ? to_value(*value) : Json();
}
template <typename T>
Json to_value(const std::vector<T>& values) {
  Json array = Json::array();
  for (const T& value : values) array.push_back(to_value(value));
  return array;
}
Json to_value(const std::array<std::int64_t, 2>& values) { return values; }
Json to_value(const Regularizer& value) {
  return {{"l1", to_value(value.l1)}, {"l2", to_value(value.l2)}};
}

/// What differs from the defaults.
template <typename Kind>
void add_fields(const Kind& value, Json& object) {
  const Kind defaults;
  std::apply(
      [&](const auto&... fields) {
        const auto add = [&](const auto& field) {
          if (!(value.*(field.member) == defaults.*(field.member))) {
            object[field.name] = to_value(value.*(field.member));
          }
        };
        (add(fields), ...);
      },
      LayerFields<Kind>::kFields);
}

Json to_value(const Initializer& initializer) {
  return std::visit(
      [](const auto& kind) {
        Json object = {{"class_name", LayerFields<std::decay_t<decltype(kind)>>::kClass}};
        add_fields(kind, object);
        return object;
      },
      initializer);
}

void from_value(const Json& json, const std::string& path, bool& value) {
  if (!json.is_boolean()) refuse(path, "is " + shown(json), "Give true or false");
  value = json.get<bool>();
}
template <typename T>
requires std::is_integral_v<T>
void from_value(const Json& json, const std::string& path, T& value) {
  const bool is_unsigned = json.is_number_unsigned();
  bool fits = json.is_number_integer();
  if (fits && is_unsigned) {
    fits = json.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<T>::max());
  } else if (fits) {
    fits = std::is_signed_v<T> &&
           json.get<std::int64_t>() >= static_cast<std::int64_t>(std::numeric_limits<T>::min());
  }
  if (!fits) refuse(path, "is " + shown(json), "Give an integer");
  value = json.get<T>();
}
void from_value(const Json& json, const std::string& path, float& value) {
  const double number = json.is_number() ? json.get<double>() : 0.0;
  if (!json.is_number() || std::abs(number) > std::numeric_limits<float>::max()) {
    refuse(path, "is " + shown(json), "Give a number that a float32 can hold");
  }
  value = static_cast<float>(number);
}
void from_value(const Json& json, const std::string& path, std::string& value) {
  if (!json.is_string()) refuse(path, "is " + shown(json), "Give a text in quotes");
  value = json.get<std::string>();
}
template <typename Enum>
requires std::is_enum_v<Enum>
void from_value(const Json& json, const std::string& path, Enum& value) {
  std::vector<std::string_view> allowed;
  for (const auto& [known, name] : names_of(Enum{})) {
    if (json.is_string() && json.get_ref<const std::string&>() == name) {
      value = known;
      return;
    }
    allowed.push_back(name);
  }
  refuse(path, "is " + shown(json), base::str_cat("Give one of: ", base::join(allowed)));
}
void from_value(const Json& json, const std::string& path, Activation& value) {
  if (!json.is_string()) refuse(path, "is " + shown(json), "Give the name of an activation");
  try {
    value = activation_from_name(json.get_ref<const std::string&>());
  } catch (const Error& error) {
    refuse(path, "is " + shown(json), base::without_code(error.what()));
  }
}
template <typename T>
void from_value(const Json& json, const std::string& path, std::optional<T>& value) {
  if (json.is_null()) {
    value.reset();
  } else {
    from_value(json, path, value.emplace());
  }
}
template <typename T>
void from_value(const Json& json, const std::string& path, std::vector<T>& values) {
  if (!json.is_array()) refuse(path, "is " + shown(json), "Give a list");
  values.resize(json.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    from_value(json[i], base::str_cat(path, "[", i, "]"), values[i]);
  }
}
void from_value(const Json& json, const std::string& path, std::array<std::int64_t, 2>& values) {
  if (json.is_number_integer()) {  // as in Keras: both
    from_value(json, path, values[0]);
    values[1] = values[0];
    return;
  }
  if (!json.is_array() || json.size() != 2) {
    refuse(path, "is " + shown(json), "Give an integer, or a list of two");
  }
  for (std::size_t i = 0; i < 2; ++i) {
    from_value(json[i], base::str_cat(path, "[", i, "]"), values[i]);
  }
}

/// Throws for members of an object that nobody reads.
void check_members(const Json& json, const std::string& path, const std::set<std::string>& known) {
  if (!json.is_object()) refuse(path, "is " + shown(json), "Give an object");
  for (const auto& [name, value] : json.items()) {
    if (known.contains(name)) continue;
    refuse(path, base::str_cat("has the member \"", name, "\""),
           base::str_cat("Known are: ", base::join(known)));
  }
}

const Json& member(const Json& json, const std::string& path, const char* name) {
  if (!json.is_object()) refuse(path, "is " + shown(json), "Give an object");
  const auto found = json.find(name);
  if (found == json.end()) {
    refuse(path, base::str_cat("has no member \"", name, "\""), "Add it");
  }
  return *found;
}

void from_value(const Json& json, const std::string& path, Regularizer& value) {
  check_members(json, path, {"l1", "l2"});
  if (json.contains("l1")) from_value(json["l1"], path + ".l1", value.l1);
  if (json.contains("l2")) from_value(json["l2"], path + ".l2", value.l2);
}
void from_value(const Json& json, const std::string& path, Initializer& value);

template <typename Kind>
void read_fields(const Json& json, const std::string& path, std::set<std::string> known,
                 Kind& value) {
  std::apply(
      [&](const auto&... fields) {
        (known.insert(fields.name), ...);
        check_members(json, path, known);
        const auto read = [&](const auto& field) {
          const auto found = json.find(field.name);
          if (found == json.end()) return;
          from_value(*found, base::str_cat(path, ".", field.name), value.*(field.member));
        };
        (read(fields), ...);
      },
      LayerFields<Kind>::kFields);
}

/// Sets `variant` to the alternative whose class is named, and calls `read` with it.
template <typename Variant, typename Read>
void choose(const Json& json, const std::string& path, Variant& variant, const Read& read) {
  std::string name;
  from_value(member(json, path, "class_name"), path + ".class_name", name);
  std::vector<std::string_view> classes;
  bool found = false;
  const auto offer = [&]<typename Kind>(Kind kind) {
    classes.emplace_back(LayerFields<Kind>::kClass);
    if (found || name != LayerFields<Kind>::kClass) return;
    found = true;
    read(kind);
    variant = std::move(kind);
  };
  [&]<typename... Kinds>(const std::variant<Kinds...>* /*types*/) {
    (offer(Kinds{}), ...);
  }(static_cast<const Variant*>(nullptr));
  if (found) return;
  refuse(path, base::str_cat("is of the class \"", name, "\", which there is not"),
         base::str_cat("Give one of: ", base::join(classes)));
}

void from_value(const Json& json, const std::string& path, Initializer& value) {
  choose(json, path, value, [&](auto& kind) { read_fields(json, path, {"class_name"}, kind); });
}

// --- The graph

Json to_value(const SymbolicTensor& tensor) {
  return {{tensor.is_input ? "input" : "call", tensor.index}};
}

void from_value(const Json& json, const std::string& path, SymbolicTensor& tensor) {
  check_members(json, path, {"input", "call", "name"});
  tensor.is_input = json.contains("input");
  const char* kind = tensor.is_input ? "input" : "call";
  from_value(member(json, path, kind), base::str_cat(path, ".", kind), tensor.index);
}

void read_layer(const Json& json, const std::string& path, Layer& layer) {
  choose(json, path, layer, [&](auto& kind) {
    if (json.contains("name")) from_value(json["name"], path + ".name", kind.name);
    read_fields(json, path, {"class_name", "name"}, kind);
  });
}

}  // namespace

std::string to_json(const Functional& model) {
  Json json = {{"format", "dtrain-functional-1"}, {"name", model.name}};
  json["inputs"] = Json::array();
  for (const Input& input : model.inputs) {
    Json object = {{"shape", to_value(input.shape)}, {"dtype", to_value(input.dtype)}};
    if (!input.name.empty()) object["name"] = input.name;
    json["inputs"].push_back(std::move(object));
  }
  json["layers"] = Json::array();
  for (const Layer& layer : model.layers) {
    json["layers"].push_back(std::visit(
        [](const auto& kind) {
          Json object = {{"class_name", LayerFields<std::decay_t<decltype(kind)>>::kClass}};
          if (!kind.name.empty()) object["name"] = kind.name;
          add_fields(kind, object);
          return object;
        },
        layer));
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
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

Functional functional_from_json(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) {
    std::size_t byte = 0;
    try {
      (void)Json::parse(text);
    } catch (const nlohmann::json::parse_error& error) {
      byte = error.byte;
    }
    refuse(base::str_cat("byte ", byte), "cannot be parsed", "Correct the syntax there");
  }
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
    read_layer(object, path, model.layers.emplace_back());
  }
  for (const Json& object : list("calls")) {
    const std::string path = at("calls", model.calls.size());
    check_members(object, path, {"layer", "inputs"});
    LayerCall& call = model.calls.emplace_back();
    from_value(member(object, path, "layer"), path + ".layer", call.layer);
    from_value(member(object, path, "inputs"), path + ".inputs", call.inputs);
  }
  for (const Json& object : list("outputs")) {
    const std::string path = at("outputs", model.outputs.size());
    Output& output = model.outputs.emplace_back();
    from_value(object, path, output.tensor);
    if (object.contains("name")) from_value(object["name"], path + ".name", output.name);
  }
  return model;
}

}  // namespace dtrain::inline v0
