// What losses and metrics are called.
#include <type_traits>

#include "base/identifier.h"
#include "dtrain/losses.h"
#include "dtrain/metrics.h"

namespace dtrain::inline v0 {
namespace {

std::string_view name_of(const SparseCategoricalCrossentropy& /*loss*/) {
  return "sparse_categorical_crossentropy";
}
std::string_view name_of(const CategoricalCrossentropy& /*loss*/) {
  return "categorical_crossentropy";
}
std::string_view name_of(const BinaryCrossentropy& /*loss*/) { return "binary_crossentropy"; }
std::string_view name_of(const MeanSquaredError& /*loss*/) { return "mean_squared_error"; }
std::string_view name_of(const MeanAbsoluteError& /*loss*/) { return "mean_absolute_error"; }
std::string_view name_of(const Huber& /*loss*/) { return "huber"; }

std::string_view name_of(const metrics::Accuracy& /*metric*/) { return "accuracy"; }
std::string_view name_of(const metrics::BinaryAccuracy& /*metric*/) { return "binary_accuracy"; }
std::string_view name_of(const metrics::CategoricalAccuracy& /*metric*/) {
  return "categorical_accuracy";
}
std::string_view name_of(const metrics::SparseCategoricalAccuracy& /*metric*/) {
  return "sparse_categorical_accuracy";
}
std::string_view name_of(const metrics::TopKCategoricalAccuracy& /*metric*/) {
  return "top_k_categorical_accuracy";
}
std::string_view name_of(const metrics::SparseTopKCategoricalAccuracy& /*metric*/) {
  return "sparse_top_k_categorical_accuracy";
}
std::string_view name_of(const metrics::Auc& /*metric*/) { return "auc"; }
std::string_view name_of(const metrics::Precision& /*metric*/) { return "precision"; }
std::string_view name_of(const metrics::Recall& /*metric*/) { return "recall"; }
std::string_view name_of(const metrics::MeanSquaredError& /*metric*/) {
  return "mean_squared_error";
}
std::string_view name_of(const metrics::RootMeanSquaredError& /*metric*/) {
  return "root_mean_squared_error";
}
std::string_view name_of(const metrics::MeanAbsoluteError& /*metric*/) {
  return "mean_absolute_error";
}
std::string_view name_of(const metrics::BinaryCrossentropy& /*metric*/) {
  return "binary_crossentropy";
}
std::string_view name_of(const metrics::CategoricalCrossentropy& /*metric*/) {
  return "categorical_crossentropy";
}
std::string_view name_of(const metrics::SparseCategoricalCrossentropy& /*metric*/) {
  return "sparse_categorical_crossentropy";
}

/// Errors and losses: less is better.
template <typename Kind>
constexpr bool kFalls = AlternativeOf<
    Kind, std::variant<metrics::MeanSquaredError, metrics::RootMeanSquaredError,
                       metrics::MeanAbsoluteError, metrics::BinaryCrossentropy,
                       metrics::CategoricalCrossentropy, metrics::SparseCategoricalCrossentropy>>;

}  // namespace

LossKind Loss::named(std::string_view identifier) {
  static const base::Named<LossKind> kTable[] = {
      {"mean_squared_error", MeanSquaredError{}},
      {"mse", MeanSquaredError{}},
      {"mean_absolute_error", MeanAbsoluteError{}},
      {"mae", MeanAbsoluteError{}},
      {"huber", Huber{}},
      {"binary_crossentropy", BinaryCrossentropy{}},
      {"bce", BinaryCrossentropy{}},
      {"categorical_crossentropy", CategoricalCrossentropy{}},
      {"sparse_categorical_crossentropy", SparseCategoricalCrossentropy{}},
  };
  return base::find_named("loss", identifier, kTable);
}

MetricKind Metric::named(std::string_view identifier) {
  static const base::Named<MetricKind> kTable[] = {
      {"accuracy", metrics::Accuracy{}},
      {"acc", metrics::Accuracy{.name = "acc"}},
      {"binary_accuracy", metrics::BinaryAccuracy{}},
      {"categorical_accuracy", metrics::CategoricalAccuracy{}},
      {"sparse_categorical_accuracy", metrics::SparseCategoricalAccuracy{}},
      {"top_k_categorical_accuracy", metrics::TopKCategoricalAccuracy{}},
      {"sparse_top_k_categorical_accuracy", metrics::SparseTopKCategoricalAccuracy{}},
      {"auc", metrics::Auc{}},
      {"precision", metrics::Precision{}},
      {"recall", metrics::Recall{}},
      {"mean_squared_error", metrics::MeanSquaredError{}},
      {"mse", metrics::MeanSquaredError{.name = "mse"}},
      {"root_mean_squared_error", metrics::RootMeanSquaredError{}},
      {"mean_absolute_error", metrics::MeanAbsoluteError{}},
      {"mae", metrics::MeanAbsoluteError{.name = "mae"}},
      {"binary_crossentropy", metrics::BinaryCrossentropy{}},
      {"bce", metrics::BinaryCrossentropy{.name = "bce"}},
      {"categorical_crossentropy", metrics::CategoricalCrossentropy{}},
      {"sparse_categorical_crossentropy", metrics::SparseCategoricalCrossentropy{}},
  };
  return base::find_named("metric", identifier, kTable);
}

std::string_view loss_name(const Loss& loss) noexcept {
  return std::visit([](const auto& kind) { return name_of(kind); }, loss);
}

std::string metric_name(const Metric& metric) {
  return std::visit(
      [](const auto& kind) { return kind.name.empty() ? std::string(name_of(kind)) : kind.name; },
      metric);
}

bool metric_rises(const Metric& metric) {
  return std::visit([](const auto& kind) { return !kFalls<std::remove_cvref_t<decltype(kind)>>; },
                    metric);
}

}  // namespace dtrain::inline v0
