#include <memory>
#include <string>
#include <utility>

#include "base/strings.h"
#include "model/layer_builder.h"

namespace dtrain::inline v0::model {
namespace {

/// What Embedding and EmbeddingBag have in common: the table.
class TableOperation : public Operation {
 public:
  explicit TableOperation(VariableSpec table)
      : table_(std::move(table)), width_(static_cast<std::size_t>(table_.shape[1])) {}

  std::vector<VariableSpec> variables() const override { return {table_}; }
  void bind(std::span<const Place> places) override { place_ = places[0]; }
  bool takes_ids() const override { return true; }

 protected:
  std::size_t width() const { return width_; }
  compute::ConstMatrix rows(const Pass& pass, const CallMemory& call) const {
    const auto table =
        is_elsewhere() ? call.rows : pass.values.subspan(place_.offset, place_.count);
    return {table.data(), table.size() / width_, width_};
  }
  compute::Matrix row_gradients(const Pass& pass, const CallMemory& call) const {
    const auto table =
        is_elsewhere() ? call.row_gradients : pass.gradients.subspan(place_.offset, place_.count);
    return {table.data(), table.size() / width_, width_};
  }

 private:
  bool is_elsewhere() const { return place_.count == 0; }

  const VariableSpec table_;
  const std::size_t width_;
  Place place_;
};

class EmbeddingOperation final : public TableOperation {
 public:
  using TableOperation::TableOperation;

  void forward(const Pass& pass, const CallMemory& call) const override {
    pass.device.gather_rows(rows(pass, call), call.ids, {call.out, call.ids.size(), width()});
  }
  void backward(const Pass& pass, const CallMemory& call) const override {
    pass.device.sum_rows({call.out_gradient, call.ids.size(), width()}, call.ids,
                         row_gradients(pass, call));
  }
};

class EmbeddingBagOperation final : public TableOperation {
 public:
  /// `ids`: in an example's bag.
  EmbeddingBagOperation(VariableSpec table, std::size_t ids, Combiner combiner)
      : TableOperation(std::move(table)),
        ids_(ids),
        factor_(combiner == Combiner::kMean ? 1.0F / static_cast<float>(ids) : 1.0F) {}

  void forward(const Pass& pass, const CallMemory& call) const override {
    pass.device.gather_bags({.table = rows(pass, call),
                             .ids = call.ids,
                             .width = ids_,
                             .factor = factor_,
                             .out = {call.out, pass.examples, width()}});
  }
  void backward(const Pass& pass, const CallMemory& call) const override {
    const compute::Matrix table = row_gradients(pass, call);
    pass.device.fill({table.data, table.count()}, 0.0F);
    pass.device.scatter_bags({.in = {call.out_gradient, pass.examples, width()},
                              .ids = call.ids,
                              .width = ids_,
                              .factor = factor_,
                              .table = table});
  }

 private:
  const std::size_t ids_;
  const float factor_;
};

template <typename Kind>
VariableSpec table_of(const Kind& layer, const char* kind, const LayerBuilder& builder) {
  const GraphTensor& ids = builder.input();
  if (builder.input_count() != 1 || !ids.on_host || ids.dtype == DType::kString) {
    builder.refuse(
        base::str_cat(kind, " takes ids, but its input is ",
                      ids.on_host ? "text" : "what a layer that computes gives"),
        "Let it take an integer input of the model, or what StringLookup or Hashing gives");
  }
  if (layer.input_dim < 1 || layer.output_dim < 1) {
    builder.refuse(base::str_cat(kind, "::input_dim is ", layer.input_dim, " and output_dim ",
                                 layer.output_dim),
                   "Give at least 1 of each");
  }
  builder.check(layer.embeddings_initializer, "embeddings_initializer");
  builder.check_size({layer.input_dim, layer.output_dim},
                     base::str_cat(layer.input_dim, " rows of ", layer.output_dim, " elements"));
  return {.name = builder.name() + "/embeddings",
          .shape = {layer.input_dim, layer.output_dim},
          .initializer = layer.embeddings_initializer,
          .kind = VariableKind::kRows};
}

}  // namespace

void build(const Embedding& layer, LayerBuilder& builder) {
  VariableSpec table = table_of(layer, "Embedding", builder);
  Shape shape = builder.input().shape;
  shape.push_back(layer.output_dim);
  builder.check_size(shape, base::str_cat(builder.input().count, " rows of ", layer.output_dim,
                                          " elements for each example"));
  builder.emit(std::make_unique<EmbeddingOperation>(std::move(table)), std::move(shape));
}

void build(const EmbeddingBag& layer, LayerBuilder& builder) {
  VariableSpec table = table_of(layer, "EmbeddingBag", builder);
  const std::size_t ids = builder.input().count;
  builder.emit(std::make_unique<EmbeddingBagOperation>(std::move(table), ids, layer.combiner),
               {layer.output_dim});
}

}  // namespace dtrain::inline v0::model
