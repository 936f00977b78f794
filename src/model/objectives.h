#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/objective.h"

namespace dtrain::inline v0::model {

/// What a model is measured with: an Objective for each output. The loss is the sum of theirs, each
/// times its loss_weight, and what regularizers add. Confined to one thread.
class Objectives {
 public:
  struct OutputObjective {
    std::string output;  ///< Its name, in front of its metrics' names where there are several.
    float loss_weight = 1.0F;
    Objective objective;
  };
  explicit Objectives(std::vector<OutputObjective> outputs);

  std::size_t size() const { return outputs_.size(); }
  Objective& operator[](std::size_t output) { return outputs_[output].objective; }
  const Objective& operator[](std::size_t output) const { return outputs_[output].objective; }

  /// Numbers that the metrics count in.
  std::size_t state_count() const { return state_count_; }
  /// Makes room for the states of all metrics, zeros.
  void prepare(Sums& sums) const { sums.metrics.resize(state_count_); }
  /// The state of an output's metrics in prepared sums.
  std::span<double> state(std::size_t output, Sums& sums) const;
  /// Adds a batch's loss of an output.
  void add(std::size_t output, const LossSum& loss, Sums& sums) const;

  /// Names, as Keras's logs have them, and values: the loss, the losses of several outputs, and all
  /// metrics.
  std::vector<std::pair<std::string, double>> results(const Sums& sums) const;
  /// Whether the result of this name rises as a model gets better; empty: it is none of them.
  std::optional<bool> rises(std::string_view name) const;

 private:
  bool shows_losses() const { return outputs_.size() > 1; }
  std::string name_of(std::size_t output, const std::string& result) const;

  std::vector<OutputObjective> outputs_;
  /// Of each output's part in Sums::metrics: its loss, if it is shown, and its metrics' state.
  std::vector<std::size_t> begins_;
  std::size_t state_count_ = 0;
};

}  // namespace dtrain::inline v0::model
