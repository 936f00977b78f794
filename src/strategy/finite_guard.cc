#include "strategy/finite_guard.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/strings.h"
#include "dtrain/error.h"
#include "strategy/model_impl.h"

namespace dtrain::inline v0::strategy {
namespace {

/// `what` names the tensor, e.g. "feature \"age\"".
void check_tensor(const tensor::Batch& batch, const tensor::View& view, const std::string& what) {
  if (view.dtype != DType::kFloat32 || view.data == nullptr || view.count == 0) return;
  const auto values = view.as<float>();
  const auto wrong =
      std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
  if (wrong == values.end()) return;
  const auto example = static_cast<std::size_t>(wrong - values.begin()) / (view.count / batch.size);
  const bool numbered = batch.example_indices.size() == batch.size;
  throw Error(
      ErrorCode::kInvalidArgument,
      base::str_cat(what, " of example ", numbered ? batch.example_indices[example] : example,
                    numbered ? "" : " of the batch", " is ", *wrong, ", and so is the loss"),
      "Correct the data, or replace such values on the way (CsvFeature::missing, Pipeline::map())");
}

}  // namespace

void FiniteGuard::check(const tensor::Batch& batch, const model::Sums& sums) {
  if (sums.nonfinite == 0 || warned_) return;
  const model::Graph& graph = model_.network().graph();
  for (std::size_t i = 0; i < batch.inputs.size(); ++i) {
    check_tensor(batch, batch.inputs[i], base::str_cat("feature \"", graph.input_names[i], "\""));
  }
  for (std::size_t i = 0; i < batch.targets.size(); ++i) {
    check_tensor(batch, batch.targets[i], base::str_cat("target \"", graph.output_names[i], "\""));
  }
  check_tensor(batch, batch.weights, "the weight");
  warned_ = true;
  model_.exchange().logger().warning(
      "the loss of ", sums.nonfinite, " examples is not finite after step ", model_.steps,
      ", though their data are: the training has diverged. Lower the learning rate, clip gradients "
      "(UpdateRules), or stop with a callback");
}

}  // namespace dtrain::inline v0::strategy
