#include "model/build.h"

#include <map>
#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"
#include "tensor/initializer.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::model {
namespace {

const char* kind_name(const Dense& /*layer*/) { return "dense"; }
const char* kind_name(const ActivationLayer& /*layer*/) { return "activation"; }
const char* kind_name(const Flatten& /*layer*/) { return "flatten"; }
const char* kind_name(const Dropout& /*layer*/) { return "dropout"; }
const char* kind_name(const Embedding& /*layer*/) { return "embedding"; }

class Builder {
 public:
  Builder(const Sequential& description, std::uint64_t seed)
      : seed_(seed), shape_(description.input_shape) {}

  /// `last`: no layer comes behind it.
  void add(std::size_t index, std::string name, const Layer& layer, bool last) {
    index_ = index;
    last_ = last;
    name_ = std::move(name);
    std::visit([this](const auto& kind) { add(kind); }, layer);
  }
  std::vector<Stage> take() { return std::move(stages_); }

 private:
  [[noreturn]] void refuse(const std::string& happened, const std::string& advice) const {
    throw Error(ErrorCode::kInvalidArgument, where() + happened, advice);
  }
  std::string where() const { return base::str_cat("layer ", index_, " (\"", name_, "\"): "); }

  std::size_t columns() const { return static_cast<std::size_t>(shape_.back()); }
  std::size_t rows_per_example() const { return tensor::element_count(shape_) / columns(); }

  void push(std::unique_ptr<Operation> operation) {
    stages_.push_back({name_, std::move(operation), shape_, tensor::element_count(shape_)});
  }

  void add(const Dense& dense) {
    if (dense.units < 1) {
      refuse(base::str_cat("Dense::units is ", dense.units), "Give it at least 1 unit");
    }
    tensor::validate(dense.kernel_initializer, where() + "kernel_initializer: ");
    tensor::validate(dense.bias_initializer, where() + "bias_initializer: ");
    const DenseShape shape{rows_per_example(), columns(), static_cast<std::size_t>(dense.units)};
    shape_.back() = dense.units;
    try {
      tensor::element_count({static_cast<std::int64_t>(shape.inputs), dense.units});
      tensor::element_count(shape_);
    } catch (const Error&) {
      refuse(base::str_cat(shape.inputs, " inputs and ", dense.units,
                           " units are more than memory can address"),
             "Use fewer of them");
    }
    // What goes into the last sigmoid is what a loss wants.
    const bool apart = dense.activation == Activation::kSoftmax ||
                       (last_ && dense.activation == Activation::kSigmoid);
    push(make_dense(name_, {.shape = shape,
                            .activation = apart ? Activation::kLinear : dense.activation,
                            .use_bias = dense.use_bias,
                            .kernel_initializer = dense.kernel_initializer,
                            .bias_initializer = dense.bias_initializer}));
    if (apart) push(make_activation(dense.activation, rows_per_example(), columns()));
  }

  void add(const ActivationLayer& layer) {
    push(make_activation(layer.activation, rows_per_example(), columns()));
  }

  void add(const Flatten& /*layer*/) {
    shape_ = {static_cast<std::int64_t>(tensor::element_count(shape_))};
    if (!stages_.empty()) stages_.back().output_shape = shape_;
  }

  void add(const Dropout& dropout) {
    if (!(dropout.rate >= 0.0F && dropout.rate < 1.0F)) {
      refuse(base::str_cat("Dropout::rate is ", dropout.rate), "Give a number in [0, 1)");
    }
    push(make_dropout(name_, dropout.rate, dropout.seed.value_or(seed_),
                      tensor::element_count(shape_)));
  }

  void add(const Embedding& embedding) {
    if (!stages_.empty()) {
      refuse("Embedding takes ids, not what another layer gives", "Make it the first layer");
    }
    if (embedding.input_dim < 1 || embedding.output_dim < 1) {
      refuse(base::str_cat("Embedding::input_dim is ", embedding.input_dim, " and output_dim ",
                           embedding.output_dim),
             "Give at least 1 of each");
    }
    tensor::validate(embedding.embeddings_initializer, where() + "embeddings_initializer: ");
    shape_.push_back(embedding.output_dim);
    try {
      tensor::element_count({embedding.input_dim, embedding.output_dim});
      tensor::element_count(shape_);
    } catch (const Error&) {
      refuse(base::str_cat(embedding.input_dim, " rows of ", embedding.output_dim,
                           " elements are more than memory can address"),
             "Use fewer of them");
    }
    push(make_embedding(name_, {.rows = embedding.input_dim,
                                .width = embedding.output_dim,
                                .initializer = embedding.embeddings_initializer}));
  }

  const std::uint64_t seed_;
  Shape shape_;
  std::size_t index_ = 0;
  bool last_ = false;
  std::string name_;
  std::vector<Stage> stages_;
};

}  // namespace

std::vector<std::string> layer_names(const Sequential& description) {
  std::map<std::string, int> counts;
  std::map<std::string, std::size_t> indices;
  std::vector<std::string> names;
  for (const Layer& layer : description.layers) {
    std::string name = std::visit([](const auto& kind) { return kind.name; }, layer);
    if (name.find('/') != std::string::npos) {
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("layer ", names.size(), " is named \"", name, "\""),
                  "Names of layers must not contain '/'");
    }
    if (name.empty()) {
      const char* kind = std::visit([](const auto& of) { return kind_name(of); }, layer);
      const int count = counts[kind]++;
      name = count == 0 ? kind : base::str_cat(kind, "_", count);
    }
    const auto [first, is_new] = indices.emplace(name, names.size());
    if (!is_new) {
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("layers ", first->second, " and ", names.size(),
                                " are both named \"", name, "\""),
                  "Give every layer a name of its own, or none");
    }
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<Stage> build_stages(const Sequential& description, std::uint64_t seed) {
  if (description.input_shape.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "Sequential::input_shape is empty",
                "Give the shape of one example, such as {64} for 64 features");
  }
  try {
    tensor::element_count(description.input_shape);
  } catch (const Error&) {
    throw Error(
        ErrorCode::kInvalidArgument,
        base::str_cat("Sequential::input_shape is ", tensor::to_string(description.input_shape)),
        "Give the shape of one example, without the batch: sizes of at least 1 whose "
        "product memory can address");
  }
  if (description.layers.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "Sequential::layers is empty",
                "Give at least one layer");
  }
  const std::vector<std::string> names = layer_names(description);
  Builder builder(description, seed);
  for (std::size_t i = 0; i < names.size(); ++i) {
    builder.add(i, names[i], description.layers[i], i + 1 == names.size());
  }
  return builder.take();
}

}  // namespace dtrain::inline v0::model
