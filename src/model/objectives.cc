#include "model/objectives.h"

#include "base/strings.h"

namespace dtrain::inline v0::model {

Objectives::Objectives(std::vector<OutputObjective> outputs) : outputs_(std::move(outputs)) {
  for (const OutputObjective& output : outputs_) {
    begins_.push_back(state_count_);
    state_count_ += output.objective.metrics().state_count() + (shows_losses() ? 1 : 0);
  }
}

std::span<double> Objectives::state(std::size_t output, Sums& sums) const {
  return std::span(sums.metrics)
      .subspan(begins_[output] + (shows_losses() ? 1 : 0),
               outputs_[output].objective.metrics().state_count());
}

void Objectives::add(std::size_t output, const LossSum& loss, Sums& sums) const {
  sums.loss += static_cast<double>(outputs_[output].loss_weight) * loss.loss;
  sums.nonfinite += loss.nonfinite;
  if (shows_losses()) sums.metrics[begins_[output]] += loss.loss;
}

std::string Objectives::name_of(std::size_t output, const std::string& result) const {
  return shows_losses() ? base::str_cat(outputs_[output].output, "_", result) : result;
}

std::vector<std::pair<std::string, double>> Objectives::results(const Sums& sums) const {
  std::vector<std::pair<std::string, double>> results = {{"loss", sums.mean_loss()}};
  const std::span<const double> states(sums.metrics);
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const MetricSet& metrics = outputs_[i].objective.metrics();
    std::span<const double> state;
    if (!states.empty()) {
      state = states.subspan(begins_[i] + (shows_losses() ? 1 : 0), metrics.state_count());
    }
    if (shows_losses()) {
      const double sum = states.empty() ? 0.0 : states[begins_[i]];
      const auto examples = static_cast<double>(sums.examples);
      results.emplace_back(name_of(i, "loss"), sums.examples == 0 ? 0.0 : sum / examples);
    }
    for (const auto& [name, value] : metrics.results(state)) {
      results.emplace_back(name_of(i, name), value);
    }
  }
  return results;
}

std::optional<bool> Objectives::rises(std::string_view name) const {
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    for (const auto& [result, value] : outputs_[i].objective.metrics().results({})) {
      if (name_of(i, result) == name) return outputs_[i].objective.metrics().rises(result);
    }
    if (name == name_of(i, "loss")) return false;
  }
  if (name == "loss") return false;
  return {};
}

}  // namespace dtrain::inline v0::model
