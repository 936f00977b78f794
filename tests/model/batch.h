#pragma once

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "model/objective.h"
#include "tensor/layout.h"
#include "tensor/view.h"

namespace dtrain::inline v0::model {

/// Examples that a test owns, and the batches cut from them.
struct Examples {
  Shape input_shape;
  std::vector<float> inputs;
  std::vector<std::int32_t> labels;  ///< One of labels and targets is empty.
  std::vector<float> targets;
  Shape target_shape = {};
  std::vector<std::uint64_t> indices = {};
  std::vector<float> weights = {};

  std::size_t size() const { return inputs.size() / tensor::element_count(input_shape); }

  /// Examples [first, first + count); borrows this.
  tensor::Batch batch(std::size_t first, std::size_t count) const {
    const auto view = [&](const auto& elements, const Shape& shape) {
      const std::size_t width = tensor::element_count(shape);
      Shape whole = shape;
      whole.insert(whole.begin(), static_cast<std::int64_t>(count));
      return tensor::view_of(std::span(elements).subspan(first * width, count * width), whole);
    };
    tensor::Batch batch{.size = count, .inputs = {view(inputs, input_shape)}};
    if (!labels.empty()) batch.targets = {view(labels, {})};
    if (!targets.empty()) batch.targets = {view(targets, target_shape)};
    if (!weights.empty()) batch.weights = view(weights, {});
    if (!indices.empty()) batch.example_indices = std::span(indices).subspan(first, count);
    return batch;
  }
  tensor::Batch batch() const { return batch(0, size()); }
};

/// What an objective of a single output reads of a batch.
inline Truth truth_of(const tensor::Batch& batch) {
  static const tensor::View kNone;
  return {.size = batch.size,
          .targets = batch.targets.empty() ? kNone : batch.targets[0],
          .weights = batch.weights,
          .example_indices = batch.example_indices};
}

}  // namespace dtrain::inline v0::model
