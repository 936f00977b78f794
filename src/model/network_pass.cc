// The passes of a step: what moves between a network's stages.
#include "base/strings.h"
#include "dtrain/error.h"
#include "model/network.h"

namespace dtrain::inline v0::model {

Pass Network::make_pass(const tensor::Batch& batch, bool training, std::int64_t step) {
  check_inputs(batch);
  Pass pass{.device = device_,
            .examples = batch.size,
            .training = training,
            .step = step,
            .values = values_,
            .gradients = training ? gradients_ : std::span<float>()};
  if (id_count_ > 0) add_ids(batch, pass);
  if (!training || !needs_example_indices_) return pass;
  if (batch.example_indices.size() != batch.size) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("the batch has ", batch.size, " examples and ",
                              batch.example_indices.size(), " example indices"),
                "Dropout needs each example's index in the data set");
  }
  pass.example_indices = batch.example_indices;
  if (!device_.is_host_memory()) {
    const auto copy = example_indices_.reserve(device_, batch.size);
    device_.upload(copy.data(), batch.example_indices.data(), copy.size_bytes());
    pass.example_indices = copy;
  }
  return pass;
}

const float* Network::inputs_on_device(const tensor::Batch& batch) {
  const auto inputs = batch.inputs[0].as<float>();
  if (device_.is_host_memory()) return inputs.data();
  const auto copy = inputs_.reserve(device_, inputs.size());
  device_.upload(copy.data(), inputs.data(), inputs.size_bytes());
  return copy.data();
}

void Network::forward(const Pass& pass, const tensor::Batch& batch, std::size_t count) {
  in_[0] = id_count_ > 0 ? nullptr : inputs_on_device(batch);
  for (std::size_t i = 0; i < count; ++i) {
    const Operation& operation = *stages_[i].operation;
    if (operation.is_identity(pass.training)) {
      in_[i + 1] = in_[i];
      continue;
    }
    float* out = outputs_[i].reserve(device_, pass.examples * stages_[i].outputs).data();
    operation.forward(pass, in_[i], out);
    in_[i + 1] = out;
  }
}

std::size_t Network::forward_and_measure(const Pass& pass, const tensor::Batch& batch, Sums& sums) {
  const std::size_t all = stages_.size();
  const std::size_t for_loss = objective_->takes_logits() ? all - 1 : all;
  const std::size_t for_metrics = objective_->metrics_need_outputs() ? all : for_loss;
  forward(pass, batch, for_metrics);
  compute::Matrix gradient{nullptr, pass.examples, output_count()};
  if (pass.training) {
    gradient.data = gradient_buffers_[0].reserve(device_, pass.examples * outputs_max_).data();
  }
  sums.metrics.resize(objective_->metrics().state_count());
  const LossSum sum =
      objective_->measure(device_,
                          {.values = {in_[for_metrics], pass.examples, output_count()},
                           .logits = {in_[for_loss], pass.examples, output_count()}},
                          truth_of(batch), gradient, sums.metrics);
  sums.loss += sum.loss;
  sums.nonfinite += sum.nonfinite;
  sums.examples += batch.size;
  return for_loss;
}

void Network::backward(Pass pass, std::size_t count, float* gradient) {
  GradientMark mark(gradients_ready_);
  pass.mark = &mark;
  float* spare = gradient_buffers_[1].reserve(device_, pass.examples * outputs_max_).data();
  for (std::size_t i = count; i-- > first_trainable_;) {
    const Operation& operation = *stages_[i].operation;
    if (operation.is_identity(pass.training)) continue;
    operation.backward(pass, in_[i], in_[i + 1], gradient, i == first_trainable_ ? nullptr : spare);
    std::swap(gradient, spare);
    if (slots_[i].begin < slots_[i].end) mark.reach(slots_[i].end);
  }
}

}  // namespace dtrain::inline v0::model
