#include "dtrain/model.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "compute/update_plan.h"
#include "dtrain/error.h"
#include "model/graph.h"
#include "strategy/evaluator.h"
#include "strategy/model_impl.h"
#include "strategy/sums_codec.h"
#include "strategy/trainer.h"

namespace dtrain::inline v0 {
namespace {

void require_compiled(const model::Network& network, const char* what) {
  if (network.has_objective()) return;
  throw Error(ErrorCode::kFailedPrecondition,
              base::str_cat(what, "() was called on a model that is not compiled"),
              "Call compile() with an optimizer and a loss first");
}

std::size_t row_elements(const RowTable& table) {
  return static_cast<std::size_t>(table.rows) * static_cast<std::size_t>(table.width);
}

/// The table of this name, if it is on servers; null for an ordinary variable.
const RowTable* find_row_table(const model::Network& network, std::string_view name) {
  const auto table = std::ranges::find(network.row_tables(), name, &RowTable::name);
  return table != network.row_tables().end() ? &*table : nullptr;
}

/// A whole table, piece by piece.
std::vector<float> read_rows(const model::Network& network, const RowTable& table) {
  constexpr std::size_t kPieceBytes = 4 << 20;
  const auto width = static_cast<std::size_t>(table.width);
  const std::size_t piece_rows = std::max<std::size_t>(kPieceBytes / sizeof(float) / width, 1);
  std::vector<float> values(row_elements(table));
  std::vector<std::uint64_t> keys;
  for (std::size_t first = 0; first < values.size() / width; first += keys.size()) {
    keys.resize(std::min(piece_rows, values.size() / width - first));
    std::iota(keys.begin(), keys.end(), first);
    const model::RowRequest request{static_cast<std::size_t>(&table - network.row_tables().data()),
                                    keys,
                                    std::span(values).subspan(first * width, keys.size() * width)};
    network.fetch_rows({&request, 1});
  }
  return values;
}

/// A batch of all examples, in their order.
data::BatchPlanOptions whole(const Dataset& batch) {
  return {.examples = batch.size(), .batch_size = batch.size(), .shuffle = false};
}

/// One for each output, in the order of the outputs.
std::vector<model::ObjectiveOptions> objectives_of(const CompileOptions& options,
                                                   const std::vector<std::string>& outputs) {
  if (!options.outputs.empty() && !(options.metrics.empty() && options.weighted_metrics.empty())) {
    throw Error(ErrorCode::kInvalidArgument,
                "CompileOptions has metrics for all outputs, and also outputs with their own",
                "Give each of CompileOptions::outputs its metrics");
  }
  std::vector<model::ObjectiveOptions> objectives;
  for (const std::string& output : outputs) {
    const auto given = std::ranges::find(options.outputs, output, &OutputOptions::output);
    if (options.outputs.empty()) {
      objectives.push_back({.loss = options.loss,
                            .metrics = options.metrics,
                            .weighted_metrics = options.weighted_metrics});
    } else if (given != options.outputs.end()) {
      objectives.push_back({.loss = given->loss,
                            .metrics = given->metrics,
                            .weighted_metrics = given->weighted_metrics,
                            .loss_weight = given->loss_weight});
    } else {
      throw Error(
          ErrorCode::kInvalidArgument,
          base::str_cat("CompileOptions::outputs has nothing for the output \"", output, "\""),
          base::str_cat("Give one for each output: ", base::join(outputs)));
    }
  }
  if (options.outputs.size() <= outputs.size()) return objectives;
  throw Error(ErrorCode::kInvalidArgument,
              base::str_cat("CompileOptions::outputs has ", options.outputs.size(),
                            " entries, but the model has ", outputs.size(), " outputs"),
              base::str_cat("Give one for each output: ", base::join(outputs)));
}

}  // namespace

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

void Model::compile(const CompileOptions& options) {
  validate(options.optimizer);
  UpdateRules rules = options.rules;
  const std::vector<std::string>& statistics = impl_->network().statistics();
  if (!statistics.empty()) rules.groups.push_back({.variables = statistics, .statistics = true});
  // Throws what is wrong before anything has changed.
  (void)compute::UpdatePlan(impl_->network().layout(), options.optimizer, rules);
  const auto objectives = objectives_of(options, impl_->network().graph().output_names);
  strategy::check_fits(impl_->network().make_objectives(objectives).state_count(),
                       impl_->exchange().workers());
  impl_->exchange().start(options.optimizer, rules);
  impl_->network().set_objectives(objectives);
}

History Model::fit(const Dataset& data, const FitOptions& options) {
  require_compiled(impl_->network(), "fit");
  return strategy::Trainer(*this, *impl_, data, options).run();
}

History Model::fit(const Pipeline& data, const FitOptions& options) {
  require_compiled(impl_->network(), "fit");
  return strategy::Trainer(*this, *impl_, data, options).run();
}

Logs Model::evaluate(const Pipeline& data) {
  require_compiled(impl_->network(), "evaluate");
  strategy::Evaluator evaluator(*impl_, data);
  return strategy::to_logs(evaluator.run("evaluate"), impl_->network().objectives(), "");
}

Logs Model::evaluate(const Dataset& data, std::size_t batch_size) {
  require_compiled(impl_->network(), "evaluate");
  strategy::Evaluator evaluator(*impl_, data, batch_size);
  return strategy::to_logs(evaluator.run("evaluate"), impl_->network().objectives(), "");
}

std::vector<float> Model::predict(const Dataset& data, std::size_t batch_size) {
  const std::vector<std::string>& outputs = impl_->network().graph().output_names;
  if (outputs.size() > 1) {
    throw Error(ErrorCode::kFailedPrecondition,
                base::str_cat("predict() was called on a model with ", outputs.size(),
                              " outputs: ", base::join(outputs)),
                "Call predict_all(), which returns them all");
  }
  return std::move(predict_all(data, batch_size).front());
}

std::vector<std::vector<float>> Model::predict_all(const Dataset& data, std::size_t batch_size) {
  model::Network& network = impl_->network();
  data::Batcher batcher(
      data,
      {.examples = data.size(), .batch_size = std::min(batch_size, data.size()), .shuffle = false},
      {.inputs = impl_->names().inputs});
  std::vector<std::vector<float>> outputs(network.graph().outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].resize(data.size() * network.output_count(i));
  }
  std::size_t done = 0;
  std::vector<std::span<float>> parts(outputs.size());
  for (std::size_t step = 0; step < batcher.plan().steps_per_epoch(); ++step) {
    const tensor::Batch* batch = batcher.batch(step);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::size_t width = network.output_count(i);
      parts[i] = std::span(outputs[i]).subspan(done * width, batch->size * width);
    }
    network.predict_all(*batch, parts);
    done += batch->size;
  }
  return outputs;
}

std::vector<std::vector<float>> Model::forward(const Dataset& batch, bool training) {
  if (training) require_compiled(impl_->network(), "forward");
  model::Network& network = impl_->network();
  std::vector<std::vector<float>> outputs(network.graph().outputs.size());
  std::vector<std::span<float>> spans(outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].resize(batch.size() * network.output_count(i));
    spans[i] = outputs[i];
  }
  impl_->batcher.emplace(batch, whole(batch), data::ModelNames{.inputs = impl_->names().inputs});
  network.forward_step(*impl_->batcher->batch(0), training, impl_->steps, spans);
  return outputs;
}

void Model::backward(const std::vector<std::vector<float>>& output_gradients) {
  require_compiled(impl_->network(), "backward");
  const std::vector<std::span<const float>> spans(output_gradients.begin(), output_gradients.end());
  const std::size_t examples = impl_->batcher ? impl_->batcher->dataset().size() : 0;
  impl_->exchange().expect(examples);
  impl_->network().backward_step(spans);
  impl_->examples_ready = examples;
}

void Model::apply() {
  require_compiled(impl_->network(), "apply");
  impl_->exchange().check();
  const std::size_t examples = std::exchange(impl_->examples_ready, 0);
  impl_->steps += static_cast<std::int64_t>(impl_->exchange().step(examples));
}

Logs Model::train_on_batch(const Dataset& batch) {
  require_compiled(impl_->network(), "train_on_batch");
  impl_->batcher.emplace(batch, whole(batch), impl_->names());
  impl_->exchange().expect(batch.size());
  model::Sums sums;
  impl_->network().train_step(*impl_->batcher->batch(0), impl_->steps, sums);
  strategy::FiniteGuard(*impl_).check(*impl_->batcher->batch(0), sums);
  impl_->examples_ready = batch.size();
  apply();
  return strategy::to_logs(sums, impl_->network().objectives(), "");
}

std::vector<float> Model::gradient(std::string_view name) const {
  const tensor::LayoutEntry& entry = impl_->network().layout().at(name);
  const auto gradients = impl_->arenas().gradients.span().subspan(entry.offset, entry.count);
  return {gradients.begin(), gradients.end()};
}

const Shape& Model::input_shape() const { return impl_->network().input_shape(); }
const Shape& Model::output_shape() const { return impl_->network().output_shape(); }

std::vector<std::string> Model::variable_names() const {
  const model::Network& network = impl_->network();
  std::vector<std::string> names;
  for (const RowTable& table : network.row_tables()) names.push_back(table.name);
  for (const std::size_t index : network.weight_order()) {
    names.push_back(network.layout().entries()[index].name);
  }
  return names;
}

Shape Model::variable_shape(std::string_view name) const {
  if (const RowTable* table = find_row_table(impl_->network(), name)) {
    return {table->rows, table->width};
  }
  return impl_->network().layout().at(name).shape;
}

std::vector<float> Model::variable(std::string_view name) const {
  if (const RowTable* table = find_row_table(impl_->network(), name)) {
    return read_rows(impl_->network(), *table);
  }
  const tensor::LayoutEntry& entry = impl_->network().layout().at(name);
  const auto values = impl_->arenas().values.span().subspan(entry.offset, entry.count);
  return {values.begin(), values.end()};
}

void Model::set_variable(std::string_view name, std::span<const float> values) {
  if (find_row_table(impl_->network(), name)) {
    throw Error(ErrorCode::kFailedPrecondition,
                base::str_cat("\"", name, "\" is a table of rows on the parameter servers"),
                "Servers draw its first values: choose them with the layer's initializer");
  }
  const tensor::LayoutEntry& entry = impl_->network().layout().at(name);
  if (values.size() != entry.count) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("\"", name, "\" has the shape ", tensor::to_string(entry.shape), ", ",
                              entry.count, " elements, but was given ", values.size()),
                "Give as many elements as the variable has");
  }
  if (impl_->exchange().started_elsewhere()) {
    throw Error(ErrorCode::kFailedPrecondition,
                base::str_cat("\"", name, "\" is on the parameter servers since compile()"),
                "Set variables before compile()");
  }
  std::ranges::copy(
      values, impl_->arenas().values.span().begin() + static_cast<std::ptrdiff_t>(entry.offset));
}

std::size_t Model::parameter_count() const {
  std::size_t count = 0;
  for (const auto& entry : impl_->network().layout().entries()) count += entry.count;
  for (const RowTable& table : impl_->network().row_tables()) count += row_elements(table);
  return count;
}

}  // namespace dtrain::inline v0
