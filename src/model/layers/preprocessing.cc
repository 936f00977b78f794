// Preprocessing by arithmetic: Normalization, Discretization, CategoryEncoding. Lookups and hashes
// are in lookup.cc.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"
#include "model/layer_builder.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::model {
namespace {

class NormalizationOperation final : public HostOperation {
 public:
  NormalizationOperation(const Normalization& layer, std::size_t columns) : invert_(layer.invert) {
    // What Keras divides by instead of the deviation of a constant.
    constexpr float kEpsilon = 1e-7F;
    for (std::size_t i = 0; i < columns; ++i) {
      const std::size_t at = layer.mean.size() == 1 ? 0 : i;
      mean_.push_back(layer.mean[at]);
      deviation_.push_back(std::max(std::sqrt(layer.variance[at]), kEpsilon));
    }
  }

  DType output_dtype() const override { return DType::kFloat32; }
  tensor::View run(const HostInput& in, HostBuffer& out) const override {
    const auto floats = in.view.as<float>();
    out.floats.resize(floats.size());
    const std::size_t columns = mean_.size();
    for (std::size_t row = 0; row < floats.size(); row += columns) {
      for (std::size_t i = 0; i < columns; ++i) {
        const float value = floats[row + i];
        out.floats[row + i] =
            invert_ ? mean_[i] + value * deviation_[i] : (value - mean_[i]) / deviation_[i];
      }
    }
    return tensor::view_of(std::span<const float>(out.floats), {});
  }

 private:
  const bool invert_;
  std::vector<float> mean_;
  std::vector<float> deviation_;
};

class DiscretizationOperation final : public HostOperation {
 public:
  explicit DiscretizationOperation(std::vector<float> boundaries)
      : boundaries_(std::move(boundaries)) {}

  DType output_dtype() const override { return DType::kInt64; }
  tensor::View run(const HostInput& in, HostBuffer& out) const override {
    const auto floats = in.view.as<float>();
    out.integers.resize(floats.size());
    for (std::size_t i = 0; i < floats.size(); ++i) {
      out.integers[i] = std::ranges::upper_bound(boundaries_, floats[i]) - boundaries_.begin();
    }
    return tensor::view_of(std::span<const std::int64_t>(out.integers), {});
  }

 private:
  const std::vector<float> boundaries_;
};

class CategoryEncodingOperation final : public HostOperation {
 public:
  /// `groups`: vectors that an example becomes.
  CategoryEncodingOperation(std::string where, const CategoryEncoding& layer, std::size_t groups)
      : where_(std::move(where)),
        tokens_(layer.num_tokens),
        groups_(groups),
        counts_(layer.output_mode == CategoryOutput::kCount) {}

  DType output_dtype() const override { return DType::kFloat32; }
  tensor::View run(const HostInput& in, HostBuffer& out) const override {
    const auto integers = in.view.as<std::int64_t>();
    const auto width = static_cast<std::size_t>(tokens_);
    out.floats.assign(in.examples * groups_ * width, 0.0F);
    const std::size_t per_group = integers.size() / (in.examples * groups_);
    for (std::size_t i = 0; i < integers.size(); ++i) {
      const std::int64_t token = integers[i];
      if (token < 0 || token >= tokens_) {
        throw Error(ErrorCode::kInvalidArgument,
                    base::str_cat(where_, in.describe(i), " is ", token,
                                  ", but CategoryEncoding::num_tokens is ", tokens_),
                    base::str_cat("Give integers from 0 to ", tokens_ - 1));
      }
      float& place = out.floats[i / per_group * width + static_cast<std::size_t>(token)];
      place = counts_ ? place + 1.0F : 1.0F;
    }
    return tensor::view_of(std::span<const float>(out.floats), {});
  }

 private:
  const std::string where_;
  const std::int64_t tokens_;
  const std::size_t groups_;
  const bool counts_;
};

}  // namespace

std::string HostInput::describe(std::size_t at) const {
  const std::size_t row = at / per_example();
  const std::uint64_t example = indices.empty() ? row : indices[row];
  if (per_example() == 1) return base::str_cat("example ", example);
  return base::str_cat("element ", at % per_example(), " of example ", example);
}

void build(const Normalization& layer, LayerBuilder& builder) {
  builder.take_host({DType::kFloat32});
  const std::size_t columns = builder.input().shape.empty() ? 1 : builder.columns();
  const std::size_t given = layer.mean.size();
  if (given == 0) {
    builder.refuse("Normalization has no mean and variance",
                   "Give them, or let adapt() find them in the data");
  }
  if (layer.variance.size() != given || (given != 1 && given != columns)) {
    builder.refuse(base::str_cat("Normalization has ", given, " means and ", layer.variance.size(),
                                 " variances, but its input has ", columns, " columns"),
                   "Give one of each for every column, or one for all");
  }
  for (std::size_t i = 0; i < given; ++i) {
    if (std::isfinite(layer.mean[i]) && layer.variance[i] >= 0.0F &&
        std::isfinite(layer.variance[i])) {
      continue;
    }
    builder.refuse(base::str_cat("Normalization has the mean ", layer.mean[i], " and the variance ",
                                 layer.variance[i], " for column ", i),
                   "Give finite numbers, and variances of at least 0");
  }
  builder.emit(std::make_unique<NormalizationOperation>(layer, columns), builder.input().shape);
}

void build(const Discretization& layer, LayerBuilder& builder) {
  builder.take_host({DType::kFloat32});
  for (std::size_t i = 0; i < layer.bin_boundaries.size(); ++i) {
    const float boundary = layer.bin_boundaries[i];
    if (std::isfinite(boundary) && (i == 0 || boundary > layer.bin_boundaries[i - 1])) continue;
    builder.refuse(base::str_cat("Discretization::bin_boundaries[", i, "] is ", boundary,
                                 i == 0 ? std::string()
                                        : base::str_cat(" after ", layer.bin_boundaries[i - 1])),
                   "Give finite numbers that rise");
  }
  builder.emit(std::make_unique<DiscretizationOperation>(layer.bin_boundaries),
               builder.input().shape);
}

void build(const CategoryEncoding& layer, LayerBuilder& builder) {
  builder.take_host({DType::kInt64});
  if (layer.num_tokens < 1) {
    builder.refuse(base::str_cat("CategoryEncoding::num_tokens is ", layer.num_tokens),
                   "Give at least 1");
  }
  Shape shape = builder.input().shape;
  // As Keras: one-hot gives each integer a vector, and takes a last dimension of 1 for none.
  const bool replaces =
      !shape.empty() && (layer.output_mode != CategoryOutput::kOneHot || shape.back() == 1);
  if (replaces) shape.pop_back();
  const std::size_t groups = tensor::element_count(shape);
  shape.push_back(layer.num_tokens);
  builder.check_size(shape, base::str_cat(groups, " vectors of ", layer.num_tokens, " tokens"));
  builder.emit(std::make_unique<CategoryEncodingOperation>(builder.where(), layer, groups),
               std::move(shape));
}

}  // namespace dtrain::inline v0::model
