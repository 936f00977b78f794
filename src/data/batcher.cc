#include "data/batcher.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "base/strings.h"
#include "data/examples.h"
#include "dtrain/error.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::data {

namespace {

constexpr std::align_val_t kAlignment{64};

/// All examples' values of a feature or target. What makes the view knows the type.
template <typename Values>
tensor::View all_of(const FeatureInfo& info, std::size_t size, const Values& values) {
  Shape shape{static_cast<std::int64_t>(size)};
  shape.insert(shape.end(), info.shape.begin(), info.shape.end());
  return tensor::view_of(values, std::move(shape));
}

tensor::View feature_of(const Dataset& dataset, const FeatureInfo& info) {
  if (info.dtype == DType::kString) {
    return all_of(info, dataset.size(), dataset.feature<std::string_view>(info.name));
  }
  if (info.dtype == DType::kInt64) {
    return all_of(info, dataset.size(), dataset.feature<std::int64_t>(info.name));
  }
  return all_of(info, dataset.size(), dataset.feature<float>(info.name));
}

tensor::View target_of(const Dataset& dataset, const FeatureInfo& info) {
  if (info.dtype == DType::kInt32) {
    return all_of(info, dataset.size(), dataset.target<std::int32_t>(info.name));
  }
  return all_of(info, dataset.size(), dataset.target<float>(info.name));
}

// The size is known to the compiler, so that a row is one move and not a call.
template <std::size_t kBytes>
void gather_rows(const std::byte* rows, std::span<const std::uint64_t> indices, std::byte* out) {
  for (const std::uint64_t index : indices) {
    std::memcpy(out, rows + index * kBytes, kBytes);
    out += kBytes;
  }
}

}  // namespace

void Batcher::Free::operator()(std::byte* bytes) const { ::operator delete[](bytes, kAlignment); }

Batcher::Batcher(Dataset dataset, const BatchPlanOptions& options, const ModelNames& names)
    : dataset_(std::move(dataset)), plan_(options) {
  if (options.examples != dataset_.size()) {
    throw Error(ErrorCode::kInternal,
                base::str_cat("a plan for ", options.examples, " examples meets a data set of ",
                              dataset_.size()));
  }
  const std::size_t rows =
      plan_.steps_per_epoch() == 0 ? 0 : plan_.examples(0).size();  // No later step has more.
  for (const std::size_t i : match_inputs(names.inputs, dataset_.features())) {
    add(rows, feature_of(dataset_, dataset_.features()[i]), batch_.inputs);
  }
  for (const std::size_t i : match_outputs(names.outputs, dataset_.targets())) {
    add(rows, target_of(dataset_, dataset_.targets()[i]), batch_.targets);
  }
  if (!dataset_.weights().empty()) {
    std::vector<tensor::View> weights;
    add(rows, tensor::view_of(dataset_.weights(), {static_cast<std::int64_t>(dataset_.size())}),
        weights);
    batch_.weights = std::move(weights.front());
  }
}

void Batcher::add(std::size_t rows, tensor::View all, std::vector<tensor::View>& views) {
  const std::size_t width = all.count / dataset_.size();
  const std::size_t row_bytes = width * element_bytes(all.dtype);
  std::unique_ptr<std::byte[], Free> out(new (kAlignment) std::byte[rows * row_bytes]);
  gathered_.push_back({static_cast<const std::byte*>(all.data), row_bytes, width, std::move(out)});
  views.push_back(std::move(all));
}

void Batcher::gather(const Gathered& from, std::span<const std::uint64_t> indices,
                     tensor::View& to) {
  std::byte* out = from.out.get();
  switch (from.row_bytes) {
    case 4:
      gather_rows<4>(from.rows, indices, out);
      break;
    case 8:
      gather_rows<8>(from.rows, indices, out);
      break;
    case 16:
      gather_rows<16>(from.rows, indices, out);
      break;
    default:
      for (const std::uint64_t index : indices) {
        std::memcpy(out, from.rows + index * from.row_bytes, from.row_bytes);
        out += from.row_bytes;
      }
  }
  to.data = from.out.get();
  to.count = indices.size() * from.width;
  to.shape[0] = static_cast<std::int64_t>(indices.size());
}

const tensor::Batch* Batcher::batch(std::size_t step) {
  const std::span<const std::uint64_t> indices = plan_.examples(step);
  if (indices.empty()) return nullptr;
  batch_.size = indices.size();
  batch_.example_indices = indices;
  std::size_t next = 0;
  for (tensor::View& input : batch_.inputs) gather(gathered_[next++], indices, input);
  for (tensor::View& target : batch_.targets) gather(gathered_[next++], indices, target);
  if (batch_.weights.data != nullptr) gather(gathered_[next], indices, batch_.weights);
  return &batch_;
}

}  // namespace dtrain::inline v0::data
