#include "strategy/evaluator.h"

#include "strategy/model_impl.h"
#include "strategy/sums_codec.h"

namespace dtrain::inline v0::strategy {

Evaluator::Evaluator(Model::Impl& model, const Dataset& data, std::size_t batch_size)
    : model_(model),
      source_(make_dataset_source(model, data,
                                  {.examples = data.size(),
                                   .batch_size = batch_size,
                                   .scope = data::BatchScope::kWorker,
                                   .workers = model.exchange().workers(),
                                   .rank = model.exchange().rank(),
                                   .shuffle = false},
                                  0)),
      finite_(model) {}

Evaluator::Evaluator(Model::Impl& model, const Pipeline& data)
    : model_(model), source_(make_pipeline_pass(model, data)), finite_(model) {}

model::Sums Evaluator::run(std::string_view name) {
  model_.exchange().refresh();
  model::Sums sums;
  for (std::int64_t step = 0; source_->start_step(0, step); ++step) {
    model_.exchange().check();
    if (const tensor::Batch* batch = source_->batch()) {
      model_.network().evaluate_step(*batch, sums);
      finite_.check(*batch, sums);
    }
  }
  return merge(model_.exchange().all_gather(name, encode(sums)));
}

Logs to_logs(const model::Sums& sums, const model::Objectives& objectives,
             const std::string& prefix) {
  Logs logs;
  for (const auto& [name, value] : objectives.results(sums)) logs[prefix + name] = value;
  return logs;
}

}  // namespace dtrain::inline v0::strategy
