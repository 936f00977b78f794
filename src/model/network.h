#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compute/device.h"
#include "dtrain/functional.h"
#include "dtrain/losses.h"
#include "dtrain/metrics.h"
#include "dtrain/row_table.h"
#include "dtrain/variable.h"
#include "model/graph.h"
#include "model/objectives.h"
#include "model/row_lookup.h"
#include "tensor/layout.h"
#include "tensor/view.h"

namespace dtrain::inline v0::model {

/// Called during train_step when backward has finished the range [begin, end) of the gradient
/// arena. Ranges come in order, meet and cover the arena, so everything before `end` is final, and
/// the values there are not read any more until the next step. On a device with memory of its own,
/// "finished" means that the work has been ordered.
using GradientsReady = std::function<void(std::size_t begin, std::size_t end)>;

struct NetworkOptions {
  /// Embeddings' tables are no variables of the arenas but lie elsewhere: each step fetches the
  /// rows of its batch, and leaves gradients of them.
  bool rows_elsewhere = false;
};

/// A model that computes: forward, loss, backward. It neither updates its variables nor knows
/// other processes; strategies do.
///
/// Its variables are ranges of a flat arena, its gradients the same ranges of a twin arena. The
/// layout runs from the last layer to the first, because backward fills it in this order. Arenas
/// are the network's own until bind() lends others. The "gradient" of a running average
/// (statistics()) is what is to be subtracted from it.
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
  Network(Functional description, std::uint64_t seed, compute::Device& device,
          NetworkOptions options = {});
  Network(const Sequential& description, std::uint64_t seed, compute::Device& device,
          NetworkOptions options = {})
      : Network(to_functional(description), seed, device, options) {}

  compute::Device& device() { return device_; }
  const Functional& description() const { return description_; }
  const Graph& graph() const { return graph_; }
  /// Of one example, of the input or output with this index.
  const Shape& input_shape(std::size_t index = 0) const;
  const Shape& output_shape(std::size_t index = 0) const;
  /// Elements of output_shape().
  std::size_t output_count(std::size_t index = 0) const;

  /// Where each variable lies in both arenas.
  const tensor::Layout& layout() const { return layout_; }
  /// Indices into layout().entries() in the order of Keras's weights: first layer first, kernel
  /// before bias.
  const std::vector<std::size_t>& weight_order() const { return weight_order_; }
  /// Names of the variables that are running averages.
  const std::vector<std::string>& statistics() const { return statistics_; }
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

  /// The tables that are elsewhere, as servers take them, first layer first.
  const std::vector<RowTable>& row_tables() const { return row_tables_; }
  /// Needed before the first step where row_tables() is not empty. Must not call back into the
  /// network.
  void set_fetch_rows(FetchRows fetch) { fetch_rows_ = std::move(fetch); }
  /// Rows of those tables in host memory. Throws failed_precondition before set_fetch_rows().
  void fetch_rows(std::span<const RowRequest> requests) const;
  /// The rows of a table that the last train_step's batch named, ascending and each once, and their
  /// gradients, one after the other in host memory; until the next step.
  std::span<const std::uint64_t> row_keys(std::size_t table) const;
  std::span<const float> row_gradients(std::size_t table);

  /// Of one loss with its metrics for each output. Throws invalid_argument where they and an output
  /// do not fit.
  Objectives make_objectives(const std::vector<ObjectiveOptions>& outputs) const;
  /// What train_step and evaluate_step measure. May be called again. Throws as make_objectives,
  /// before anything has changed.
  void set_objectives(const std::vector<ObjectiveOptions>& outputs);
  /// The same of a model with one output.
  void set_objective(const Loss& loss, std::vector<Metric> metrics,
                     std::vector<Metric> weighted_metrics = {});
  bool has_objective() const { return objectives_.has_value(); }
  /// Throws failed_precondition before set_objectives().
  const Objectives& objectives() const;

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

  /// A loop of the caller's own: forward, with what layers do in training if `training`, which
  /// writes the outputs as predict_all does and keeps what backward_step() needs until the next
  /// pass; the batch must stay until then. `step` as in train_step. Needs no objectives.
  void forward_step(const tensor::Batch& batch, bool training, std::int64_t step,
                    std::span<const std::span<float>> outs);
  /// The rest of it: gradients() become the gradient of what `output_gradients` is the gradient of,
  /// one for each output (host memory, as many elements; none: zeros), and that of the
  /// regularizers. Throws failed_precondition unless a forward_step() in training came last, and
  /// invalid_argument for another size.
  void backward_step(std::span<const std::span<const float>> output_gradients);

  /// Writes the outputs, batch.size * output_count(i) elements each, to `outs` in host memory, one
  /// for each output. Targets and example indices are not read. Throws invalid_argument for inputs
  /// that do not fit.
  void predict_all(const tensor::Batch& batch, std::span<const std::span<float>> outs);
  /// The same of a model with one output.
  void predict(const tensor::Batch& batch, std::span<float> out);

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  /// What a layer has over all its calls.
  struct LayerState {
    std::vector<Place> places;
    std::size_t begin = 0;  ///< Its part of the arenas.
    std::size_t end = 0;
    std::size_t first_call = kNone;        ///< In graph_.calls, of those with variables.
    std::size_t lookup = kNone;            ///< In lookups_, of an embedding.
    std::vector<std::size_t> regularized;  ///< In regularized_.
  };
  struct Regularized {
    Place place;
    Regularizer regularizer;
  };
  /// A call's memory, by index in graph_.calls.
  struct CallState {
    CallMemory memory;
    compute::Buffer<float> out;
    compute::Buffer<float> saved;
    HostBuffer host;
    bool has_variables = false;
    std::size_t later_calls = 0;  ///< Of the same layer, of those with variables.
    bool skipped_for_loss = false;
    std::vector<std::size_t> in_gradient_buffers;  ///< Of memory.in_gradients.
  };
  /// What a tensor is during a pass, by index in graph_.tensors. Gradients are those of the
  /// tensor's storage.
  struct TensorState {
    tensor::View host;            ///< Where the tensor is the host's.
    const float* data = nullptr;  ///< In the device's memory, once an operation asked for it.
    compute::Buffer<float> copy;  ///< Of `host`, on a device with memory of its own.
    bool wants_gradient = false;
    std::size_t gradient = kNone;  ///< In gradient_buffers_.
  };

  /// What a loss needs of an output.
  struct OutputState {
    std::size_t loss_tensor = 0;
    std::size_t final_activation = kNone;  ///< The call that only gives the output.
    bool skips_activation = false;         ///< Neither loss nor metrics need it.
  };

  std::size_t final_activation(std::size_t tensor) const;

  // network_plan.cc
  void plan_layers();
  void plan_layout();
  void plan_rows(std::size_t call, const VariableSpec& spec);
  void plan_gradients();

  // network_pass.cc
  void check_inputs(const tensor::Batch& batch) const;
  /// Whether an input may have another type than it was described with: ids, which floats may be.
  bool accepts(std::size_t input, DType dtype) const;
  Pass make_pass(const tensor::Batch& batch, bool training, std::int64_t step);
  void run_host_calls(const tensor::Batch& batch);
  void look_up_rows(const tensor::Batch& batch);
  const float* on_device(std::size_t tensor);
  /// `for_loss`: without the calls that neither losses nor metrics need.
  void forward(const Pass& pass, bool for_loss);
  void backward(Pass pass);
  void backward_call(const Pass& pass, std::size_t index);
  void backward_variables(Pass pass, std::size_t index);
  void check_targets(const tensor::Batch& batch) const;
  Truth truth_of(const tensor::Batch& batch, std::size_t output) const;
  /// The memory for outputs is right.
  void check_outs(std::size_t examples, std::span<const std::span<float>> outs) const;
  void download_outputs(std::span<const std::span<float>> outs);
  void free_gradients();
  /// Forward as far as losses and metrics need it, and both of them.
  void forward_and_measure(const Pass& pass, const tensor::Batch& batch, Sums& sums);
  void measure(const Pass& pass, const tensor::Batch& batch, std::size_t output, Sums& sums);
  /// Adds a gradient in a buffer to that of a tensor, or makes it that.
  void add_gradient(std::size_t storage, std::size_t buffer, std::size_t examples);
  /// The loss of the regularizers.
  double penalty();
  void add_penalty_gradient(const Regularized& regularized);
  std::size_t take_gradient_buffer(std::size_t examples);
  std::size_t storage_of(std::size_t tensor) const { return graph_.tensors[tensor].storage; }

  compute::Device& device_;
  const std::uint64_t seed_;
  const NetworkOptions options_;
  const Functional description_;
  Graph graph_;
  std::vector<LayerState> layers_;
  std::vector<CallState> calls_;
  std::vector<TensorState> tensors_;
  std::vector<Regularized> regularized_;
  std::size_t first_trainable_ = 0;  ///< The first call that backward has to reach.
  bool needs_example_indices_ = false;
  tensor::Layout layout_;
  std::vector<std::size_t> weight_order_;
  std::vector<std::string> statistics_;

  compute::Buffer<float> own_values_;
  compute::Buffer<float> own_gradients_;
  bool is_bound_ = false;
  std::span<const float> values_;
  std::span<float> gradients_;
  /// What later calls of a shared layer write before it is added to the gradients.
  compute::Buffer<float> shared_gradients_;

  std::optional<Pass> open_pass_;  ///< That backward_step() may end.
  std::optional<Objectives> objectives_;
  std::vector<OutputState> outputs_;
  GradientsReady gradients_ready_;

  compute::Buffer<std::uint64_t> example_indices_;
  std::vector<compute::Buffer<float>> gradient_buffers_;
  std::vector<std::size_t> free_gradient_buffers_;
  std::size_t outputs_max_ = 0;  ///< Elements of an example's largest computed tensor.
  std::size_t batch_max_ = 0;    ///< Examples with which no size overflows.

  std::vector<RowLookup> lookups_;  ///< One for each embedding; the first are row_tables_.
  std::vector<RowTable> row_tables_;
  std::vector<std::size_t> table_lookups_;  ///< By index in row_tables_.
  std::vector<RowRequest> requests_;        ///< One for each of row_tables_.
  std::vector<std::size_t> next_ids_;       ///< One for each of lookups_.
  FetchRows fetch_rows_;
};

}  // namespace dtrain::inline v0::model
