#include "data/batcher.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::data {

namespace {

Shape batch_shape(const Shape& example_shape) {
  Shape shape{0};
  shape.insert(shape.end(), example_shape.begin(), example_shape.end());
  return shape;
}

// out = the rows of `rows`, `width` elements each, that `indices` names.
template <typename T>
void gather(std::span<const T> rows, std::size_t width, std::span<const std::uint64_t> indices,
            std::span<T> out) {
  T* next = out.data();
  for (const std::uint64_t index : indices) {
    next = std::copy_n(rows.data() + index * width, width, next);
  }
}

}  // namespace

Batcher::Batcher(Dataset dataset, const BatchPlanOptions& options)
    : dataset_(std::move(dataset)),
      plan_(options),
      feature_count_(tensor::element_count(dataset_.feature_shape())),
      target_count_(dataset_.label_kind() == LabelKind::kValue
                        ? tensor::element_count(dataset_.target_shape())
                        : 0) {
  if (options.examples != dataset_.size()) {
    throw Error(ErrorCode::kInternal,
                base::str_cat("a plan for ", options.examples, " examples meets a data set of ",
                              dataset_.size()));
  }
  const std::size_t rows =
      plan_.steps_per_epoch() == 0 ? 0 : plan_.examples(0).size();  // No later step has more.
  if (dataset_.integer_features().empty()) {
    features_ = tensor::Arena(rows * feature_count_);
  } else {
    integer_features_.resize(rows * feature_count_);
  }
  targets_ = tensor::Arena(rows * target_count_);
  if (dataset_.label_kind() == LabelKind::kClassId) labels_.resize(rows);

  batch_.inputs.resize(1);
  batch_.inputs[0].shape = batch_shape(dataset_.feature_shape());
  if (dataset_.label_kind() != LabelKind::kNone) {
    batch_.targets.resize(1);
    batch_.targets[0].shape = batch_shape(dataset_.target_shape());
  }
}

const tensor::Batch* Batcher::batch(std::size_t step) {
  const std::span<const std::uint64_t> indices = plan_.examples(step);
  if (indices.empty()) return nullptr;
  batch_.size = indices.size();
  batch_.example_indices = indices;

  if (integer_features_.empty()) {
    gather(dataset_.features(), feature_count_, indices, features_.span());
    batch_.inputs[0].data = features_.span().data();
  } else {
    gather(dataset_.integer_features(), feature_count_, indices, std::span(integer_features_));
    batch_.inputs[0].dtype = tensor::DType::kInt64;
    batch_.inputs[0].data = integer_features_.data();
  }
  batch_.inputs[0].count = indices.size() * feature_count_;
  batch_.inputs[0].shape[0] = static_cast<std::int64_t>(indices.size());

  if (dataset_.label_kind() == LabelKind::kClassId) {
    const std::span<const std::int32_t> labels = dataset_.labels();
    std::transform(indices.begin(), indices.end(), labels_.begin(),
                   [labels](std::uint64_t index) { return labels[index]; });
    batch_.targets[0].dtype = tensor::DType::kInt32;
    batch_.targets[0].data = labels_.data();
    batch_.targets[0].count = indices.size();
    batch_.targets[0].shape[0] = static_cast<std::int64_t>(indices.size());
  } else if (dataset_.label_kind() == LabelKind::kValue) {
    gather(dataset_.targets(), target_count_, indices, targets_.span());
    batch_.targets[0].data = targets_.span().data();
    batch_.targets[0].count = indices.size() * target_count_;
    batch_.targets[0].shape[0] = static_cast<std::int64_t>(indices.size());
  }
  return &batch_;
}

}  // namespace dtrain::inline v0::data
