#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compute/device.h"
#include "dtrain/metrics.h"
#include "model/measure.h"

namespace dtrain::inline v0::model {

/// One batch as metrics see it. Matrices are in device memory.
struct MetricInputs {
  compute::ConstMatrix outputs;
  compute::ConstMatrix logits;  ///< What went into the activation; the outputs where it is kLinear.
  std::span<const std::int32_t> labels;
  compute::ConstMatrix targets;
  std::span<const float> host_targets;
  std::span<const float> host_weights;  ///< Empty: all are 1.
};

/// The metrics of one output. Their state is one run of doubles that add up over batches and
/// workers; results are made from it in the end. Confined to one thread; allocates nothing once it
/// has seen its largest batch.
class MetricSet {
 public:
  /// `weighted` ones count examples by their weights, the others as 1. Throws invalid_argument
  /// where a metric does not fit the output.
  MetricSet(const std::vector<Metric>& metrics, const std::vector<Metric>& weighted,
            const MeasuredOutput& output);

  /// Whether a metric reads the outputs where the logits do not serve as well.
  bool needs_outputs() const { return needs_outputs_; }
  std::size_t state_count() const { return state_count_; }

  /// Adds a batch to the state.
  void add(compute::Device& device, const MetricInputs& batch, std::span<double> state);

  /// Names, as logs have them, and values; 0 where nothing has been counted. An empty state stands
  /// for one of zeros.
  std::vector<std::pair<std::string, double>> results(std::span<const double> state) const;
  /// Whether the result of this name rises as a model gets better; empty: it is none of them.
  std::optional<bool> rises(std::string_view name) const;

 private:
  struct Entry {
    Metric metric;
    Measure measure;
    bool weighted = false;
    std::size_t state_begin = 0;
    std::size_t state_count = 0;
    std::vector<std::string> names;  ///< One per result.
  };

  void add_entry(const Metric& metric, bool weighted, const MeasuredOutput& output);
  void add(compute::Device& device, const MetricInputs& batch, const Entry& entry,
           const MeanMeasure& measure, std::span<double> state);
  void add(const MetricInputs& batch, const Entry& entry, const CountMeasure& measure,
           std::span<const float> outputs, std::span<double> state);
  /// Puts what of an example's outputs counts, and how, into row_.
  void prepare_row(const CountMeasure& measure, std::span<const float> outputs);

  std::vector<Entry> entries_;
  std::size_t state_count_ = 0;
  bool needs_outputs_ = false;
  bool counts_ = false;  ///< Some entry has a CountMeasure.
  compute::Buffer<float> values_;
  std::vector<float> host_values_;
  std::vector<float> host_outputs_;
  std::vector<float> row_;
  std::vector<std::size_t> order_;
};

}  // namespace dtrain::inline v0::model
