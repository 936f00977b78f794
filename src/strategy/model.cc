#include "dtrain/model.h"

#include <algorithm>
#include <iomanip>
#include <numeric>
#include <optional>
#include <sstream>
#include <utility>

#include "base/strings.h"
#include "compute/update_plan.h"
#include "dtrain/error.h"
#include "model/build.h"
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
  const std::optional<RowTable>& table = network.row_table();
  return table && table->name == name ? &*table : nullptr;
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
    network.fetch_rows(keys, std::span(values).subspan(first * width, keys.size() * width));
  }
  return values;
}

struct SummaryRow {
  std::string layer;
  std::string output_shape;
  std::string parameters;
};

/// A layer's output with the batch in front, as Keras shows it.
std::string batch_shape(const Shape& shape) {
  std::string text = "(None";
  for (const std::int64_t size : shape) text += base::str_cat(", ", size);
  return text + ")";
}

std::vector<SummaryRow> summary_rows(const Model::Impl& model) {
  const std::vector<std::string> names = model::layer_names(model.description());
  const std::vector<model::Stage> stages = model::build_stages(model.description(), model.seed());
  std::vector<SummaryRow> rows;
  Shape shape = model.network().input_shape();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool flattens = std::holds_alternative<Flatten>(model.description().layers[i]);
    if (flattens) shape = {static_cast<std::int64_t>(tensor::element_count(shape))};
    for (const model::Stage& stage : stages) {
      if (stage.layer_name == names[i]) shape = stage.output_shape;
    }
    std::size_t parameters = 0;
    for (const tensor::LayoutEntry& entry : model.network().layout().entries()) {
      if (entry.name.starts_with(names[i] + "/")) parameters += entry.count;
    }
    const std::optional<RowTable>& table = model.network().row_table();
    if (table && table->name.starts_with(names[i] + "/")) parameters += row_elements(*table);
    rows.push_back({names[i], batch_shape(shape), base::str_cat(parameters)});
  }
  return rows;
}

}  // namespace

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

void Model::compile(const CompileOptions& options) {
  validate(options.optimizer);
  // Throws what is wrong before anything has changed.
  (void)compute::UpdatePlan(impl_->network().layout(), options.optimizer, options.rules);
  const model::Objective objective({.loss = options.loss,
                                    .metrics = options.metrics,
                                    .weighted_metrics = options.weighted_metrics},
                                   impl_->network().output_shape());
  strategy::check_fits(objective.metrics().state_count(), impl_->exchange().workers());
  impl_->network().set_objective(options.loss, options.metrics, options.weighted_metrics);
  impl_->exchange().start(options.optimizer, options.rules);
}

History Model::fit(const Dataset& data, const FitOptions& options) {
  require_compiled(impl_->network(), "fit");
  return strategy::Trainer(*this, *impl_, data, options).run();
}

Logs Model::evaluate(const Dataset& data, std::size_t batch_size) {
  require_compiled(impl_->network(), "evaluate");
  strategy::Evaluator evaluator(*impl_, data, batch_size);
  return strategy::to_logs(evaluator.run("evaluate"), impl_->network().objective(), "");
}

std::vector<float> Model::predict(const Dataset& data, std::size_t batch_size) {
  model::Network& network = impl_->network();
  data::Batcher batcher(data,
                        {.examples = data.size(),
                         .batch_size = std::min(std::max<std::size_t>(batch_size, 1), data.size()),
                         .shuffle = false});
  std::vector<float> outputs(data.size() * network.output_count());
  std::span<float> rest(outputs);
  for (std::size_t step = 0; step < batcher.plan().steps_per_epoch(); ++step) {
    const tensor::Batch* batch = batcher.batch(step);
    const std::size_t count = batch->size * network.output_count();
    network.predict(*batch, rest.first(count));
    rest = rest.subspan(count);
  }
  return outputs;
}

const Shape& Model::input_shape() const { return impl_->network().input_shape(); }
const Shape& Model::output_shape() const { return impl_->network().output_shape(); }

std::vector<std::string> Model::variable_names() const {
  const model::Network& network = impl_->network();
  std::vector<std::string> names;
  if (network.row_table()) names.push_back(network.row_table()->name);  // the first layer's
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
  if (impl_->network().row_table()) count += row_elements(*impl_->network().row_table());
  return count;
}

std::string Model::summary() const {
  const SummaryRow head{"Layer", "Output shape", "Parameters"};
  std::vector<SummaryRow> rows = summary_rows(*impl_);
  std::size_t name_width = head.layer.size();
  std::size_t shape_width = head.output_shape.size();
  for (const SummaryRow& row : rows) {
    name_width = std::max(name_width, row.layer.size());
    shape_width = std::max(shape_width, row.output_shape.size());
  }
  rows.insert(rows.begin(), head);
  std::ostringstream out;
  out << "Model: \"" << impl_->description().name << "\"\n";
  for (const SummaryRow& row : rows) {
    out << std::left << std::setw(static_cast<int>(name_width) + 2) << row.layer
        << std::setw(static_cast<int>(shape_width) + 2) << row.output_shape << std::right
        << std::setw(10) << row.parameters << '\n';
  }
  out << "Parameters: " << parameter_count() << " (" << parameter_count() * sizeof(float)
      << " bytes)\n";
  return out.str();
}

}  // namespace dtrain::inline v0
