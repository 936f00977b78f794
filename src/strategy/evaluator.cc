#include "strategy/evaluator.h"

#include "strategy/model_impl.h"
#include "strategy/sums_codec.h"

namespace dtrain::inline v0::strategy {

Evaluator::Evaluator(Model::Impl& model, const Dataset& data, std::size_t batch_size)
    : model_(model),
      batcher_(data, {.examples = data.size(),
                      .batch_size = batch_size,
                      .scope = data::BatchScope::kWorker,
                      .workers = model.exchange().workers(),
                      .rank = model.exchange().rank(),
                      .shuffle = false}) {}

model::Sums Evaluator::run(std::string_view name) {
  model_.exchange().refresh();
  model::Sums sums;
  for (std::size_t step = 0; step < batcher_.plan().steps_per_epoch(); ++step) {
    model_.exchange().check();
    if (const tensor::Batch* batch = batcher_.batch(step)) {
      model_.network().evaluate_step(*batch, sums);
    }
  }
  return merge(model_.exchange().all_gather(name, encode(sums)));
}

Logs to_logs(const model::Sums& sums, const model::Objective& objective,
             const std::string& prefix) {
  Logs logs;
  logs[prefix + "loss"] = sums.mean_loss();
  for (const auto& [name, value] : objective.metrics().results(sums.metrics)) {
    logs[prefix + name] = value;
  }
  return logs;
}

}  // namespace dtrain::inline v0::strategy
