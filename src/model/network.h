#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "compute/device.h"
#include "dtrain/layers.h"
#include "dtrain/losses.h"
#include "dtrain/metrics.h"
#include "dtrain/row_table.h"
#include "dtrain/variable.h"
#include "model/build.h"
#include "model/objective.h"
#include "tensor/layout.h"
#include "tensor/view.h"

namespace dtrain::inline v0::model {

/// Called during train_step when backward has finished the range [begin, end) of the gradient
/// arena. Ranges come in order, meet and cover the arena, so everything before `end` is final, and
/// the values there are not read any more until the next step. On a device with memory of its own,
/// "finished" means that the work has been ordered.
using GradientsReady = std::function<void(std::size_t begin, std::size_t end)>;

/// Where a table of rows is that the network does not hold: fills `values` with the rows that
/// `keys` (ascending, each once) name. Called during a step, by whoever runs it.
using FetchRows = std::function<void(std::span<const std::uint64_t> keys, std::span<float> values)>;

struct NetworkOptions {
  /// An embedding's table is no variable of the arenas but lies elsewhere: each step fetches the
  /// rows of its batch, and leaves gradients of them.
  bool rows_elsewhere = false;
};

/// A model that computes: forward, loss, backward. It neither updates its variables nor knows
/// other processes; strategies do.
///
/// Its variables are ranges of a flat arena, its gradients the same ranges of a twin arena. The
/// layout runs from the last layer to the first, because backward fills it in this order. Arenas
/// are the network's own until bind() lends others.
///
/// A typical step: `train_step(batch, step, sums)`, then
/// `device.optimizer_step(optimizer, {.values = n.values(), .updated = n.mutable_values(),
/// .gradients = n.gradients(), ...})` over the whole arena; padding between variables has zero
/// gradients and stays what it is.
///
/// The device must outlive the network. Confined to one thread at a time. A step allocates no
/// memory unless its batch is larger than all before it.
class Network {
 public:
  /// Infers all shapes. `seed` decides first values and dropout. Throws invalid_argument that names
  /// the layer, what it got and what it needs.
  Network(const Sequential& description, std::uint64_t seed, compute::Device& device,
          NetworkOptions options = {});

  compute::Device& device() { return device_; }
  const Shape& input_shape() const { return input_shape_; }    ///< Of one example.
  const Shape& output_shape() const { return output_shape_; }  ///< Of one example.
  /// Elements of output_shape().
  std::size_t output_count() const { return stages_.back().outputs; }

  /// Where each variable lies in both arenas.
  const tensor::Layout& layout() const { return layout_; }
  /// Indices into layout().entries() in the order of Keras's weights: first layer first, kernel
  /// before bias.
  const std::vector<std::size_t>& weight_order() const { return weight_order_; }
  /// The variables in the layout's order, as servers take them: planned anew they give layout()
  /// again. `values` (host memory, layout().count() elements, or empty) become their first values,
  /// borrowed.
  std::vector<Variable> declarations(std::span<const float> values) const;

  /// Writes the first values that the initializers give: `values` (host memory) has
  /// layout().count() elements. Padding becomes 0.
  void initial_values(std::span<float> values) const;

  /// Computes with the caller's arenas, in the device's memory (ordinary memory on a CPU), of
  /// layout().count() elements each, from now on. They must outlive the network or the next bind().
  /// `values` are read during steps as they are then; nothing is copied. Padding of `gradients` is
  /// never written: let it be 0. Throws invalid_argument for another size.
  void bind(std::span<const float> values, std::span<float> gradients);

  /// The arenas in use, in the device's memory. Unless bind() was called, the network's own, with
  /// initial_values().
  std::span<const float> values() const { return values_; }
  std::span<const float> gradients() const { return gradients_; }
  /// The network's own values, for whoever updates them. Throws failed_precondition after bind():
  /// what was lent is the caller's to write.
  std::span<float> mutable_values();

  /// The table that is elsewhere, as servers take it; empty when there is none.
  const std::optional<RowTable>& row_table() const { return row_table_; }
  /// Needed before the first step where row_table() is not empty. Must not call back into the
  /// network.
  void set_fetch_rows(FetchRows fetch) { fetch_rows_ = std::move(fetch); }
  /// Rows of that table in host memory. Throws failed_precondition before set_fetch_rows().
  void fetch_rows(std::span<const std::uint64_t> keys, std::span<float> values) const;
  /// The rows of the last train_step's batch, ascending and each once, and their gradients, one
  /// after the other in host memory; until the next step.
  std::span<const std::uint64_t> row_keys() const { return row_keys_; }
  std::span<const float> row_gradients();

  /// What train_step and evaluate_step measure. May be called again. Throws invalid_argument where
  /// loss, metrics and the last layer do not fit.
  void set_objective(const Loss& loss, std::vector<Metric> metrics,
                     std::vector<Metric> weighted_metrics = {});
  bool has_objective() const { return objective_.has_value(); }
  /// Throws failed_precondition before set_objective().
  const Objective& objective() const;

  /// Empty: nobody is told. Must not call back into the network.
  void set_gradients_ready(GradientsReady ready) { gradients_ready_ = std::move(ready); }

  /// Forward and backward: gradients() become the gradient of the mean loss over the batch's
  /// examples (weigh it by batch.size to merge workers), and the batch's loss and metrics are added
  /// to `sums`, also when they are not finite (Sums::nonfinite). `step` is the counter of random
  /// numbers; its low 32 bits are used. Throws invalid_argument for inputs or targets of the wrong
  /// type or shape and for a label out of range; then nothing has changed.
  void train_step(const tensor::Batch& batch, std::int64_t step, Sums& sums);

  /// Forward without dropout; adds to `sums`. Throws as train_step.
  void evaluate_step(const tensor::Batch& batch, Sums& sums);

  /// Writes the outputs, batch.size * output_count() elements, to `out` in host memory. Targets and
  /// example indices are not read. Throws invalid_argument for inputs that do not fit.
  void predict(const tensor::Batch& batch, std::span<float> out);

 private:
  struct Slot {  ///< A stage's part of the arenas.
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  void plan_layout();
  void check_inputs(const tensor::Batch& batch) const;
  static Truth truth_of(const tensor::Batch& batch);
  Pass make_pass(const tensor::Batch& batch, bool training, std::int64_t step);
  // network_rows.cc: ids and the rows they name.
  void read_ids(const tensor::Batch& batch);
  void number_rows();
  void add_ids(const tensor::Batch& batch, Pass& pass);
  const float* inputs_on_device(const tensor::Batch& batch);
  /// Runs the first `count` stages; in_[i] and in_[i + 1] become what stage i reads and gives.
  void forward(const Pass& pass, const tensor::Batch& batch, std::size_t count);
  void backward(Pass pass, std::size_t count, float* gradient);
  /// Forward as far as the loss needs, loss and metrics. Returns the number of stages run for the
  /// loss.
  std::size_t forward_and_measure(const Pass& pass, const tensor::Batch& batch, Sums& sums);

  compute::Device& device_;
  const std::uint64_t seed_;
  const NetworkOptions options_;
  const Shape input_shape_;
  std::vector<Stage> stages_;
  const std::size_t input_count_;
  std::vector<Slot> slots_;          ///< One per stage; begin == end without variables.
  std::size_t first_trainable_ = 0;  ///< stages_.size() where none has variables.
  bool needs_example_indices_ = false;
  Shape output_shape_;
  tensor::Layout layout_;
  std::vector<std::size_t> weight_order_;

  compute::Buffer<float> own_values_;
  compute::Buffer<float> own_gradients_;
  bool is_bound_ = false;
  std::span<const float> values_;
  std::span<float> gradients_;

  std::optional<Objective> objective_;
  GradientsReady gradients_ready_;

  compute::Buffer<float> inputs_;
  compute::Buffer<std::uint64_t> example_indices_;
  std::vector<compute::Buffer<float>> outputs_;  ///< One per stage.
  std::vector<const float*> in_;
  std::array<compute::Buffer<float>, 2> gradient_buffers_;
  std::size_t outputs_max_ = 0;  ///< Of any stage, for the gradient buffers.

  std::int64_t id_count_ = 0;  ///< Ids that the first stage takes; 0: it takes none.
  std::optional<RowTable> row_table_;
  FetchRows fetch_rows_;
  std::vector<std::int64_t> ids_;  ///< Of the batch; numbers in row_keys_ where there are such.
  struct IdPlace {
    std::uint64_t id = 0;
    std::size_t place = 0;  ///< In ids_.
  };
  std::vector<IdPlace> sorted_ids_;
  std::vector<IdPlace> spare_ids_;
  std::vector<std::uint64_t> row_keys_;
  std::vector<float> host_rows_;  ///< Values and gradients on their way to or from a device.
  compute::Buffer<std::int64_t> ids_on_device_;
  compute::Buffer<float> rows_;
  compute::Buffer<float> row_gradients_;
};

}  // namespace dtrain::inline v0::model
