#include "model/layer_json.h"

#include <array>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "model/layer_fields.h"

namespace dtrain::inline v0::model {

// Overloads for this file's types, beside those of json_values.h: not in a namespace of their own,
// which would hide those.

template <>
struct EnumNames<FanMode> {
  static constexpr std::array kNames = {EnumName<FanMode>{FanMode::kFanIn, "fan_in"},
                                        EnumName<FanMode>{FanMode::kFanOut, "fan_out"},
                                        EnumName<FanMode>{FanMode::kFanAvg, "fan_avg"}};
};

template <>
struct EnumNames<ScaledDistribution> {
  static constexpr std::array kNames = {
      EnumName<ScaledDistribution>{ScaledDistribution::kTruncatedNormal, "truncated_normal"},
      EnumName<ScaledDistribution>{ScaledDistribution::kUntruncatedNormal, "untruncated_normal"},
      EnumName<ScaledDistribution>{ScaledDistribution::kUniform, "uniform"}};
};

template <>
struct EnumNames<Padding> {
  static constexpr std::array kNames = {EnumName<Padding>{Padding::kValid, "valid"},
                                        EnumName<Padding>{Padding::kSame, "same"},
                                        EnumName<Padding>{Padding::kCausal, "causal"}};
};
template <>
struct EnumNames<Combiner> {
  static constexpr std::array kNames = {EnumName<Combiner>{Combiner::kSum, "sum"},
                                        EnumName<Combiner>{Combiner::kMean, "mean"}};
};
template <>
struct EnumNames<CategoryOutput> {
  static constexpr std::array kNames = {
      EnumName<CategoryOutput>{CategoryOutput::kOneHot, "one_hot"},
      EnumName<CategoryOutput>{CategoryOutput::kMultiHot, "multi_hot"},
      EnumName<CategoryOutput>{CategoryOutput::kCount, "count"}};
};

static Json to_value(Activation value) { return std::string(activation_name(value)); }
static Json to_value(const Regularizer& value) {
  return {{"l1", to_value(value.l1)}, {"l2", to_value(value.l2)}};
}

static Json to_value(const Initializer& initializer);

/// What differs from the defaults.
template <typename Kind>
static void add_fields(const Kind& value, Json& object) {
  const Kind defaults;
  std::apply(
      [&](const auto&... fields) {
        [[maybe_unused]] const auto add = [&](const auto& field) {
          if (!(value.*(field.member) == defaults.*(field.member))) {
            object[field.name] = to_value(value.*(field.member));
          }
        };
        (add(fields), ...);
      },
      LayerFields<Kind>::kFields);
}

static Json to_value(const Initializer& initializer) {
  return std::visit(
      [](const auto& kind) {
        Json object = {{"class_name", LayerFields<std::decay_t<decltype(kind)>>::kClass}};
        add_fields(kind, object);
        return object;
      },
      initializer);
}

static void from_value(const Json& json, const std::string& path, Activation& value) {
  if (!json.is_string()) refuse(path, "is " + shown(json), "Give the name of an activation");
  try {
    value = activation_from_name(json.get_ref<const std::string&>());
  } catch (const Error& error) {
    refuse(path, "is " + shown(json), base::without_code(error.what()));
  }
}
static void from_value(const Json& json, const std::string& path, Regularizer& value) {
  check_members(json, path, {"l1", "l2"});
  if (json.contains("l1")) from_value(json["l1"], path + ".l1", value.l1);
  if (json.contains("l2")) from_value(json["l2"], path + ".l2", value.l2);
}
static void from_value(const Json& json, const std::string& path, Initializer& value);

template <typename Kind>
static void read_fields(const Json& json, const std::string& path, std::set<std::string> known,
                        Kind& value) {
  std::apply(
      [&](const auto&... fields) {
        (known.insert(fields.name), ...);
        check_members(json, path, known);
        [[maybe_unused]] const auto read = [&](const auto& field) {
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
static void choose(const Json& json, const std::string& path, Variant& variant, const Read& read) {
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

static void from_value(const Json& json, const std::string& path, Initializer& value) {
  choose(json, path, value, [&](auto& kind) { read_fields(json, path, {"class_name"}, kind); });
}

Json layer_to_json(const Layer& layer) {
  return std::visit(
      [](const auto& kind) {
        Json object = {{"class_name", LayerFields<std::decay_t<decltype(kind)>>::kClass}};
        if (!kind.name.empty()) object["name"] = kind.name;
        add_fields(kind, object);
        return object;
      },
      layer);
}

void layer_from_json(const Json& json, const std::string& path, Layer& layer) {
  choose(json, path, layer, [&](auto& kind) {
    if (json.contains("name")) from_value(json["name"], path + ".name", kind.name);
    read_fields(json, path, {"class_name", "name"}, kind);
  });
}

}  // namespace dtrain::inline v0::model
