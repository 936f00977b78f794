#include "data/match.h"

#include <algorithm>
#include <numeric>

#include "base/strings.h"
#include "data/examples.h"
#include "data/number.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::data {

namespace {

struct Words {
  const char* wanted;
  const char* there;
  const char* one;
};

std::vector<std::size_t> match(const std::vector<std::string>& wanted,
                               const std::vector<FeatureInfo>& there, const Words& words) {
  std::vector<std::size_t> order;
  if (wanted.empty()) {
    order.resize(there.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    return order;
  }
  if (wanted.size() == 1 && there.size() == 1) return {0};
  for (const std::string& name : wanted) {
    const auto found = std::ranges::find(there, name, &FeatureInfo::name);
    if (found == there.end()) {
      std::vector<std::string> quoted;
      for (const std::string& other : wanted) quoted.push_back(in_quotes(other));
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("the model's ", words.wanted, " are ", base::join(quoted),
                                ", but the data's ", words.there, " ", list(there), ": no ",
                                words.one, " is called ", in_quotes(name)),
                  "Call both the same");
    }
    order.push_back(static_cast<std::size_t>(found - there.begin()));
  }
  return order;
}

}  // namespace

std::vector<std::size_t> match_inputs(const std::vector<std::string>& inputs,
                                      const std::vector<FeatureInfo>& features) {
  return match(inputs, features, {"inputs", "features are", "feature"});
}

std::vector<std::size_t> match_outputs(const std::vector<std::string>& outputs,
                                       const std::vector<FeatureInfo>& targets) {
  if (targets.empty()) return {};
  return match(outputs, targets, {"outputs", "targets are", "target"});
}

}  // namespace dtrain::inline v0::data
