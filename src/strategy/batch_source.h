#pragma once

#include <cstdint>
#include <memory>

#include "data/batch_plan.h"
#include "dtrain/model.h"
#include "dtrain/pipeline.h"
#include "tensor/view.h"

namespace dtrain::inline v0::strategy {

/// This worker's batches, epoch by epoch and step by step, wherever they come from. Confined to the
/// model's thread.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// Makes batch() the one of a step, and returns whether the epoch has it. Asked in rising order,
  /// but steps may be left out or asked for again.
  virtual bool start_step(std::int64_t epoch, std::int64_t step) = 0;
  /// The examples of that step, until the next start_step(); null: this worker has none in it.
  virtual const tensor::Batch* batch() = 0;

  /// Steps of an epoch: this worker's, and those of the worker that makes most. 0: there are none,
  /// or only their end will tell.
  virtual std::int64_t steps_per_epoch() const = 0;
  virtual std::int64_t steps_per_epoch_max() const = 0;
  /// What decides which examples a step has, as far as it is known here.
  virtual const data::BatchPlanOptions& plan() const = 0;
};

/// `steps_per_epoch` as FitOptions has it. Throws invalid_argument where data and model do not fit.
std::unique_ptr<BatchSource> make_dataset_source(const Model::Impl& model, const Dataset& dataset,
                                                 const data::BatchPlanOptions& plan,
                                                 std::int64_t steps_per_epoch);

/// The pipeline's pieces are batches; each pass through it is an epoch unless `steps_per_epoch`
/// says otherwise. What was trained on before a resume is read again and dropped. Throws
/// invalid_argument for several workers without `steps_per_epoch`; asking for a step throws what
/// reading throws, and invalid_argument for a pass without examples.
std::unique_ptr<BatchSource> make_pipeline_source(const Model::Impl& model,
                                                  const Pipeline& pipeline,
                                                  std::int64_t steps_per_epoch);
/// This worker's part of one pass, however many steps the others have.
std::unique_ptr<BatchSource> make_pipeline_pass(const Model::Impl& model, const Pipeline& pipeline);

}  // namespace dtrain::inline v0::strategy
