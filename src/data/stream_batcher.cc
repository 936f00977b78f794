#include "data/stream_batcher.h"

#include <utility>

#include "data/examples.h"

namespace dtrain::inline v0::data {

namespace {

// Keeps the view's shape, whose memory is there already.
void show(const Column& column, std::size_t size, tensor::View& view) {
  view.data = bytes(column);
  view.count = elements(column);
  view.shape[0] = static_cast<std::int64_t>(size);
}

}  // namespace

StreamBatcher::StreamBatcher(ExampleStream stream, ModelNames names, std::uint64_t first_index,
                             std::uint64_t index_step)
    : stream_(std::move(stream)),
      names_(std::move(names)),
      next_index_(first_index),
      index_step_(index_step) {}

void StreamBatcher::start(const Examples& examples) {
  inputs_ = match_inputs(names_.inputs, infos(examples.features));
  targets_ = match_outputs(names_.outputs, infos(examples.targets));
  for (const std::size_t i : inputs_) batch_.inputs.push_back(view(examples.features[i], 0, 0));
  for (const std::size_t i : targets_) batch_.targets.push_back(view(examples.targets[i], 0, 0));
  batch_.weights.shape = {0};
}

const tensor::Batch* StreamBatcher::next() {
  const Examples* const examples = stream_.next();
  if (examples == nullptr) return nullptr;
  if (batch_.inputs.empty()) start(*examples);
  batch_.size = examples->size();
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    show(examples->features[inputs_[i]], batch_.size, batch_.inputs[i]);
  }
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    show(examples->targets[targets_[i]], batch_.size, batch_.targets[i]);
  }
  batch_.weights.data = examples->weights.empty() ? nullptr : examples->weights.data();
  batch_.weights.count = examples->weights.size();
  batch_.weights.shape[0] = static_cast<std::int64_t>(batch_.size);
  indices_.resize(batch_.size);
  for (std::uint64_t& index : indices_) {
    index = next_index_;
    next_index_ += index_step_;
  }
  batch_.example_indices = indices_;
  return &batch_;
}

}  // namespace dtrain::inline v0::data
