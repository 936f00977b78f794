#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dtrain/callbacks.h"
#include "dtrain/checkpoint.h"
#include "dtrain/dataset.h"
#include "dtrain/export.h"
#include "dtrain/layers.h"
#include "dtrain/logs.h"
#include "dtrain/losses.h"
#include "dtrain/metrics.h"
#include "dtrain/optimizer.h"
#include "dtrain/pipeline.h"
#include "dtrain/update_rules.h"

namespace dtrain::inline v0 {

/// What one of several outputs is trained for.
struct OutputOptions {
  std::string output;  ///< Its name.
  Loss loss = MeanSquaredError{};
  float loss_weight = 1.0F;  ///< At least 0: of its loss in the sum that is trained for.
  std::vector<Metric> metrics = {};
  std::vector<Metric> weighted_metrics = {};
};

/// How a model is trained (Keras's compile()).
struct CompileOptions {
  Optimizer optimizer = Sgd{};
  Loss loss = MeanSquaredError{};
  std::vector<Metric> metrics = {};
  std::vector<Metric> weighted_metrics = {};  ///< Those that count examples by sample weights.
  UpdateRules rules = {};                     ///< Clipping and parameter groups.
  /// Of a model with several outputs: one for each, in place of loss and metrics. Empty: every
  /// output has the loss and the metrics above.
  std::vector<OutputOptions> outputs = {};
};

/// What fit() shows while it works, at the chief only.
enum class Verbosity {
  kAuto,  ///< A progress bar on a terminal, one line per epoch elsewhere.
  kSilent,
  kProgress,  ///< The bar, wherever standard output goes.
  kLines,     ///< One line per epoch.
};

/// What fit() does. All workers give the same options (and the same data).
struct FitOptions {
  int epochs = 1;         ///< At least 1; counts those before initial_epoch.
  int initial_epoch = 0;  ///< Where counting begins, unless a checkpoint knows better.
  /// Updates of an epoch; 0: as many as the data have batches. With any other number an epoch goes
  /// on in the data where the one before has ended, and from their end to their beginning.
  std::int64_t steps_per_epoch = 0;
  /// Examples per update: of all workers together in synchronous strategies (and locally), the
  /// worker's own in asynchronous ones.
  std::size_t batch_size = 32;  ///< At least 1.
  /// Evaluated after each epoch; borrowed until fit() returns. Null: none.
  const Dataset* validation = nullptr;
  /// Instead of `validation`: the last examples, this fraction of all, are not trained on but
  /// validated with. In [0, 1).
  double validation_split = 0.0;
  /// Weights of examples by their class (of one-hot targets: the largest); others have 1. Like all
  /// weights of examples they count in the loss and in weighted metrics. Not in validation.
  std::map<std::int64_t, float> class_weight = {};
  bool shuffle = true;
  /// Decides the order of examples; every worker draws the same.
  std::uint64_t seed = 0;
  /// Ends training after so many updates of this worker, within an epoch too; 0: no limit. Workers
  /// whose share of the data has fewer batches count as many steps an epoch as the others.
  std::int64_t steps_max = 0;
  /// A folder in which the chief saves checkpoints, and from which fit() goes on by itself: with
  /// the variables, the optimizer's state, the place in the data and the random numbers as they
  /// were. `epochs` and `steps_max` then count what was done before, too. Only the chief needs to
  /// see the folder, but all workers give it. Empty: none. docs/checkpoints.md has the details.
  std::string checkpoint_dir = {};
  CheckpointOptions checkpoint = {};
  Verbosity verbosity = Verbosity::kAuto;
  /// Called in this order, on every worker; all give the same ones.
  std::vector<AnyCallback> callbacks = {};
  /// Called after each epoch with the epoch (from 0) and the values merged over all workers, after
  /// the callbacks. What the chief's call returns decides for all: true ends the training (early
  /// stopping). Set it on all workers or on none.
  std::function<bool(int epoch, const Logs& logs)> on_epoch_end = {};
  /// Called after each update of this worker with its number (from 1).
  std::function<void(std::int64_t step)> on_step_end = {};
};

/// What fit() has seen, one value per epoch (Keras's History). After a resume: of the epochs that
/// ended since.
struct History {
  std::vector<int> epoch;
  std::map<std::string, std::vector<double>> history;
  std::int64_t steps = 0;  ///< Updates of this worker, those before a resume included.
  double seconds = 0.0;
};

/// A model that trains under a strategy: the same calls on every worker, together.
///
/// compile(), fit() and evaluate() are collective: each worker calls them in the same order.
/// predict(), weights and summary() are the process's own (predict() asks servers for embeddings).
/// Confined to one thread at a time. What the strategy was made from must outlive the model.
class DTRAIN_EXPORT Model {
 public:
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  /// Sets optimizer, rules, loss and metrics; under a parameter server also declares the variables,
  /// which get the chief's values. Throws invalid_argument where they do not fit the model, and
  /// failed_precondition for a second compile() under a parameter server.
  void compile(const CompileOptions& options);

  /// Trains. Throws failed_precondition before compile() and for a checkpoint of another model,
  /// optimizer or place in other data, invalid_argument for data that do not fit the model,
  /// data_loss for a damaged checkpoint, what a folder for checkpoints that cannot be written
  /// deserves, and what the cluster fails with.
  History fit(const Dataset& data, const FitOptions& options = {});

  /// Trains from a pipeline, whose pieces are this worker's batches: end it with batch(), and give
  /// each worker its part (shard(), shard_files()). A pass is an epoch, with the epoch's number, or
  /// as the options' steps_per_epoch says, which several workers need: each goes on in its pipeline
  /// and begins it again at its end. A resumed training reads again what was trained on before, and
  /// drops it. Of the options, batch_size counts for validation only, and shuffle not at all.
  /// Throws as above, what reading throws, and invalid_argument for a pass without examples,
  /// several workers without steps_per_epoch, a seed or a validation_split.
  History fit(const Pipeline& data, const FitOptions& options = {});

  /// Loss and metrics over the data set, each worker doing its share.
  Logs evaluate(const Dataset& data, std::size_t batch_size = 256);
  /// The same over one pass of the pipeline, which gives this worker's share.
  Logs evaluate(const Pipeline& data);

  /// One update of fit() with a batch of this worker's; loss and metrics of it. Collective in
  /// synchronous strategies (see apply()). Throws as fit().
  Logs train_on_batch(const Dataset& batch);

  /// A loop of one's own instead of fit(), for losses that dtrain does not have:
  ///
  ///   const auto outputs = model.forward(batch);
  ///   model.backward({gradient_of_mean_loss(outputs[0])});
  ///   model.apply();
  ///
  /// forward() gives each output as predict_all() does, by default as layers compute in training
  /// (dropout, statistics of the batch), which needs compile(); the optimizer counts, the loss does
  /// not. Throws as predict().
  std::vector<std::vector<float>> forward(const Dataset& batch, bool training = true);
  /// Takes the gradient of the loss's mean over the batch's examples by each output, of the same
  /// size as the output (or empty: it does not matter), and computes those of all variables,
  /// regularizers' included. Throws failed_precondition unless a forward() in training came last,
  /// and invalid_argument for another size.
  void backward(const std::vector<std::vector<float>>& output_gradients);
  /// What backward() has computed for a variable; a copy, in its shape. Zeros before. Throws
  /// not_found that lists the names; embeddings on servers have none here.
  std::vector<float> gradient(std::string_view name) const;
  /// Updates the variables. Collective in synchronous strategies, where a worker's gradients weigh
  /// as many examples as its batch has; one without a backward() contributes nothing.
  void apply();

  /// Outputs for each example one after the other, output_shape() elements each.
  std::vector<float> predict(const Dataset& data, std::size_t batch_size = 256);
  /// The same for each output of a model that has several; predict() refuses one.
  std::vector<std::vector<float>> predict_all(const Dataset& data, std::size_t batch_size = 256);

  /// Of the first input and output, which for most models are the only ones.
  const Shape& input_shape() const;
  const Shape& output_shape() const;
  /// In Keras's order: first layer first, kernel before bias.
  std::vector<std::string> variable_names() const;
  Shape variable_shape(std::string_view name) const;
  /// A copy of a variable's values, row-major. Under a parameter server an embedding's table is
  /// pulled from the servers, all of it, once compile() has been called. Throws not_found that
  /// lists the names.
  std::vector<float> variable(std::string_view name) const;
  /// Overwrites a variable. Before compile() under a parameter server (where the chief's values
  /// count); any time locally. An embedding under a parameter server has no values to set.
  void set_variable(std::string_view name, std::span<const float> values);
  std::size_t parameter_count() const;

  /// A table of layers, output shapes and parameters.
  std::string summary() const;

  class Impl;
  explicit Model(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace dtrain::inline v0
