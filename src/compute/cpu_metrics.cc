#include "compute/cpu_metrics.h"

#include <algorithm>
#include <cmath>

namespace dtrain::inline v0::compute {
namespace {

using Row = std::span<const float>;

// The first of equals, as argmax has it.
std::ptrdiff_t largest_index(Row row) {
  return std::max_element(row.begin(), row.end()) - row.begin();
}

template <typename Term>
float mean(Row outputs, Row targets, Term term) {
  float sum = 0.0F;
  for (std::size_t i = 0; i < outputs.size(); ++i) sum += term(outputs[i], targets[i]);
  return sum / static_cast<float>(outputs.size());
}

// As TensorFlow's in_top_k: outputs as large as the chosen one do not displace it, and where one is
// not finite nothing is among the first.
float in_top_k(Row outputs, std::ptrdiff_t chosen, std::size_t k) {
  const float score = outputs[static_cast<std::size_t>(chosen)];
  std::size_t above = 0;
  for (const float output : outputs) {
    if (!std::isfinite(output)) return 0.0F;
    if (output > score) ++above;
  }
  return above < k ? 1.0F : 0.0F;
}

float value_of(const MetricPass& pass, Row outputs, Row targets, std::int32_t label) {
  switch (pass.function) {
    case MetricFunction::kBinaryAccuracy:
      return mean(outputs, targets, [threshold = pass.threshold](float output, float target) {
        return (output > threshold ? 1.0F : 0.0F) == target ? 1.0F : 0.0F;
      });
    case MetricFunction::kSparseTopK:
      return in_top_k(outputs, label, pass.k);
    case MetricFunction::kCategoricalTopK:
      return in_top_k(outputs, largest_index(targets), pass.k);
    case MetricFunction::kSparseAccuracy:
      return largest_index(outputs) == label ? 1.0F : 0.0F;
    case MetricFunction::kCategoricalAccuracy:
      return largest_index(outputs) == largest_index(targets) ? 1.0F : 0.0F;
    case MetricFunction::kSquaredError:
      return mean(outputs, targets,
                  [](float output, float target) { return (output - target) * (output - target); });
    case MetricFunction::kAbsoluteError:
      return mean(outputs, targets,
                  [](float output, float target) { return std::abs(output - target); });
  }
  return 0.0F;
}

}  // namespace

void cpu_metric(const MetricPass& pass) {
  const std::size_t columns = pass.outputs.columns;
  for (std::size_t row = 0; row < pass.outputs.rows; ++row) {
    const Row outputs(pass.outputs.data + row * columns, columns);
    const Row targets =
        pass.targets.data == nullptr ? Row() : Row(pass.targets.data + row * columns, columns);
    const std::int32_t label = pass.labels.empty() ? 0 : pass.labels[row];
    pass.values[row] = value_of(pass, outputs, targets, label);
  }
}

}  // namespace dtrain::inline v0::compute
