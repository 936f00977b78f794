#include "model/metric_set.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/strings.h"

namespace dtrain::inline v0::model {
namespace {

/// Elements in the host's memory, brought there if they are not.
std::span<const float> on_host(compute::Device& device, const float* data, std::size_t count,
                               std::vector<float>& memory) {
  if (device.is_host_memory()) return {data, count};
  memory.resize(count);
  device.download(memory.data(), data, count * sizeof(float));
  return memory;
}

/// What each result of a metric is called behind the metric's name: nothing for most.
std::vector<std::string> suffixes_of(const Metric& metric) {
  const auto of_thresholds = [](std::vector<float> thresholds) {
    if (thresholds.size() < 2) return std::vector<std::string>(1);
    std::ranges::sort(thresholds);
    std::vector<std::string> suffixes;
    for (const float threshold : thresholds) suffixes.push_back(base::str_cat("_at_", threshold));
    return suffixes;
  };
  if (const auto* precision = std::get_if<metrics::Precision>(&metric)) {
    return of_thresholds(precision->thresholds);
  }
  if (const auto* recall = std::get_if<metrics::Recall>(&metric)) {
    return of_thresholds(recall->thresholds);
  }
  return std::vector<std::string>(1);
}

std::vector<double> results_of(const Metric& metric, const CountMeasure& measure,
                               std::span<const double> state) {
  const std::vector<Confusion> confusions = measure.counter.confusions(state);
  if (const auto* auc = std::get_if<metrics::Auc>(&metric)) {
    return {area_under_curve(*auc, confusions)};
  }
  const bool precision = std::holds_alternative<metrics::Precision>(metric);
  std::vector<double> values;
  for (const Confusion& at : confusions) {
    const double others = precision ? at.false_positives : at.false_negatives;
    values.push_back(divide_no_nan(at.true_positives, at.true_positives + others));
  }
  return values;
}

std::vector<double> results_of(const Metric& /*metric*/, const MeanMeasure& measure,
                               std::span<const double> state) {
  const double mean = divide_no_nan(state[0], state[1]);
  return {measure.root ? std::sqrt(mean) : mean};
}

}  // namespace

MetricSet::MetricSet(const std::vector<Metric>& metrics, const std::vector<Metric>& weighted,
                     const MeasuredOutput& output) {
  for (const Metric& metric : metrics) add_entry(metric, false, output);
  for (const Metric& metric : weighted) add_entry(metric, true, output);
}

void MetricSet::add_entry(const Metric& metric, bool weighted, const MeasuredOutput& output) {
  Entry entry{.metric = metric, .measure = measure_of(metric, output), .weighted = weighted};
  entry.state_begin = state_count_;
  if (const auto* count = std::get_if<CountMeasure>(&entry.measure)) {
    entry.state_count = count->counter.state_count();
    counts_ = true;
    needs_outputs_ = true;
  } else {
    entry.state_count = 2;  // the sum and the weights
    needs_outputs_ = needs_outputs_ || !std::get<MeanMeasure>(entry.measure).takes_logits;
  }
  state_count_ += entry.state_count;

  const std::vector<std::string> suffixes = suffixes_of(metric);
  const auto names_with = [&](const std::string& name) {
    std::vector<std::string> names;
    for (const std::string& suffix : suffixes) names.push_back(name + suffix);
    return names;
  };
  // As Keras: "accuracy" among both kinds of metrics, else "auc" and "auc_1".
  const std::string plain = metric_name(metric);
  std::string name = plain;
  const auto taken = [&] { return rises(names_with(name).front()).has_value(); };
  if (weighted && taken()) name = "weighted_" + plain;
  for (int number = 1; taken(); ++number) name = base::str_cat(plain, "_", number);
  entry.names = names_with(name);
  entries_.push_back(std::move(entry));
}

void MetricSet::add(compute::Device& device, const MetricInputs& batch, std::span<double> state) {
  std::span<const float> outputs;
  if (counts_) outputs = on_host(device, batch.outputs.data, batch.outputs.count(), host_outputs_);
  for (const Entry& entry : entries_) {
    const std::span<double> part = state.subspan(entry.state_begin, entry.state_count);
    if (const auto* mean = std::get_if<MeanMeasure>(&entry.measure)) {
      add(device, batch, entry, *mean, part);
    } else {
      add(batch, entry, std::get<CountMeasure>(entry.measure), outputs, part);
    }
  }
}

void MetricSet::add(compute::Device& device, const MetricInputs& batch, const Entry& entry,
                    const MeanMeasure& measure, std::span<double> state) {
  const compute::ConstMatrix& outputs = measure.takes_logits ? batch.logits : batch.outputs;
  const std::span<float> values = values_.reserve(device, outputs.rows);
  if (const auto* metric = std::get_if<compute::MetricPass>(&measure.pass)) {
    compute::MetricPass pass = *metric;
    pass.outputs = outputs;
    pass.labels = batch.labels;
    pass.targets = batch.targets;
    pass.values = values;
    device.metric(pass);
  } else {
    compute::LossPass pass = std::get<compute::LossPass>(measure.pass);
    pass.outputs = outputs;
    pass.labels = batch.labels;
    pass.targets = batch.targets;
    pass.losses = values;
    device.loss(pass);
  }
  const bool weighted = entry.weighted && !batch.host_weights.empty();
  const auto on_this_side = on_host(device, values.data(), values.size(), host_values_);
  for (std::size_t row = 0; row < on_this_side.size(); ++row) {
    const double weight = weighted ? static_cast<double>(batch.host_weights[row]) : 1.0;
    state[0] += weight * static_cast<double>(on_this_side[row]);
    state[1] += weight;
  }
}

void MetricSet::prepare_row(const CountMeasure& measure, std::span<const float> outputs) {
  row_.assign(outputs.begin(), outputs.end());
  if (measure.sigmoid) {
    for (float& output : row_) output = 1.0F / (1.0F + std::exp(-output));
  }
  if (!measure.top_k) return;
  constexpr float kLowest = std::numeric_limits<float>::lowest();
  for (float& output : row_) output = std::isnan(output) ? kLowest : output;
  // The first of equals is the larger one, as TensorFlow's top_k has it.
  order_.resize(row_.size());
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  const auto rest = order_.begin() + static_cast<std::ptrdiff_t>(*measure.top_k);
  const auto larger = [this](std::size_t a, std::size_t b) {
    return row_[a] > row_[b] || (row_[a] == row_[b] && a < b);
  };
  std::nth_element(order_.begin(), rest - 1, order_.end(), larger);
  for (auto other = rest; other != order_.end(); ++other) row_[*other] = kLowest;
}

void MetricSet::add(const MetricInputs& batch, const Entry& entry, const CountMeasure& measure,
                    std::span<const float> outputs, std::span<double> state) {
  const std::size_t columns = batch.outputs.columns;
  const bool weighted = entry.weighted && !batch.host_weights.empty();
  const std::size_t first = measure.class_id.value_or(0);
  const std::size_t end = measure.class_id ? first + 1 : columns;
  for (std::size_t row = 0; row < batch.outputs.rows; ++row) {
    prepare_row(measure, outputs.subspan(row * columns, columns));
    const double weight = weighted ? static_cast<double>(batch.host_weights[row]) : 1.0;
    for (std::size_t i = first; i < end; ++i) {
      measure.counter.add(row_[i], batch.host_targets[row * columns + i] != 0.0F, weight, state);
    }
  }
}

std::vector<std::pair<std::string, double>> MetricSet::results(
    std::span<const double> state) const {
  const std::vector<double> zeros(state.empty() ? state_count_ : 0);
  if (state.empty()) state = zeros;
  std::vector<std::pair<std::string, double>> results;
  for (const Entry& entry : entries_) {
    const auto part = state.subspan(entry.state_begin, entry.state_count);
    const std::vector<double> values =
        std::visit([&](const auto& measure) { return results_of(entry.metric, measure, part); },
                   entry.measure);
    for (std::size_t i = 0; i < values.size(); ++i) {
      results.emplace_back(entry.names[i], values[i]);
    }
  }
  return results;
}

std::optional<bool> MetricSet::rises(std::string_view name) const {
  for (const Entry& entry : entries_) {
    if (std::ranges::count(entry.names, name) > 0) return metric_rises(entry.metric);
  }
  return std::nullopt;
}

}  // namespace dtrain::inline v0::model
