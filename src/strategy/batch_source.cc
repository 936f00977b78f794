#include "strategy/batch_source.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "data/batcher.h"
#include "data/stream_batcher.h"
#include "dtrain/error.h"
#include "strategy/model_impl.h"

namespace dtrain::inline v0::strategy {
namespace {

class DatasetSource final : public BatchSource {
 public:
  DatasetSource(const Model::Impl& model, const Dataset& dataset,
                const data::BatchPlanOptions& plan, std::int64_t steps_per_epoch)
      : batcher_(dataset, plan, model.names()),
        steps_max_(static_cast<std::int64_t>(batcher_.plan().steps_per_epoch_max())),
        steps_per_pass_(model.exchange().even_steps()
                            ? steps_max_
                            : static_cast<std::int64_t>(batcher_.plan().steps_per_epoch())),
        steps_per_epoch_(steps_per_pass_ == 0 ? 0 : steps_per_epoch) {}

  bool start_step(std::int64_t epoch, std::int64_t step) override {
    if (step >= this->steps_per_epoch()) return false;
    if (steps_per_epoch_ > 0) {
      const std::int64_t steps = steps_per_epoch_ * epoch + step;
      epoch = steps / steps_per_pass_;
      step = steps % steps_per_pass_;
    }
    if (pass_ != epoch) batcher_.start_epoch(static_cast<std::uint64_t>(epoch));
    pass_ = epoch;
    step_ = static_cast<std::size_t>(step);
    return true;
  }

  const tensor::Batch* batch() override { return batcher_.batch(step_); }

  std::int64_t steps_per_epoch() const override {
    return steps_per_epoch_ > 0 ? steps_per_epoch_ : steps_per_pass_;
  }
  std::int64_t steps_per_epoch_max() const override {
    return steps_per_epoch_ > 0 ? steps_per_epoch_ : steps_max_;
  }
  const data::BatchPlanOptions& plan() const override { return batcher_.plan().options(); }

 private:
  data::Batcher batcher_;
  const std::int64_t steps_max_;
  const std::int64_t steps_per_pass_;
  const std::int64_t steps_per_epoch_;  ///< 0: a pass is an epoch.
  std::optional<std::int64_t> pass_;    ///< Through the data, that the batcher is in.
  std::size_t step_ = 0;
};

class PipelineSource final : public BatchSource {
 public:
  PipelineSource(const Model::Impl& model, const Pipeline& pipeline, std::int64_t steps_per_epoch)
      : pipeline_(pipeline),
        names_(model.names()),
        steps_per_epoch_(steps_per_epoch),
        plan_{.scope = data::BatchScope::kWorker,
              .workers = model.exchange().workers(),
              .rank = model.exchange().rank(),
              .shuffle = false} {}

  bool start_step(std::int64_t epoch, std::int64_t step) override {
    if (steps_per_epoch_ == 0) {
      if (pass_ != epoch) start_pass(epoch);
      advance(step);
      return batch_ != nullptr;
    }
    if (step >= steps_per_epoch_) return false;
    const std::int64_t wanted = steps_per_epoch_ * epoch + step;
    if (!pass_) start_pass(0);
    while (true) {
      advance(wanted - before_);
      if (batch_) return true;
      before_ += given_;
      start_pass(*pass_ + 1);
    }
  }

  const tensor::Batch* batch() override { return batch_; }

  std::int64_t steps_per_epoch() const override { return steps_per_epoch_; }
  std::int64_t steps_per_epoch_max() const override { return steps_per_epoch_; }
  const data::BatchPlanOptions& plan() const override { return plan_; }

 private:
  void start_pass(std::int64_t pass) {
    pass_ = pass;
    given_ = 0;
    batch_ = nullptr;
    batcher_.reset();  // its threads end before others begin
    // Workers and passes have random numbers of their own.
    batcher_.emplace(pipeline_.stream(static_cast<std::uint64_t>(pass)), names_,
                     static_cast<std::uint64_t>(plan_.rank),
                     static_cast<std::uint64_t>(plan_.workers));
  }

  /// Goes on to the batch with this number in the pass, or to its end.
  void advance(std::int64_t number) {
    while (batcher_ && given_ <= number) {
      batch_ = batcher_->next();
      if (batch_) {
        ++given_;
        continue;
      }
      batcher_.reset();
      if (given_ > 0) return;
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("the pipeline gives no examples in pass ", *pass_),
                  "Correct its source; a generator has to begin anew in each pass");
    }
  }

  const Pipeline pipeline_;
  const data::ModelNames names_;
  const std::int64_t steps_per_epoch_;  ///< 0: a pass is an epoch.
  const data::BatchPlanOptions plan_;
  std::optional<std::int64_t> pass_;
  std::optional<data::StreamBatcher> batcher_;  ///< Empty at the end of a pass.
  const tensor::Batch* batch_ = nullptr;
  std::int64_t given_ = 0;   ///< Batches of this pass so far.
  std::int64_t before_ = 0;  ///< Batches of the passes before it.
};

}  // namespace

std::unique_ptr<BatchSource> make_dataset_source(const Model::Impl& model, const Dataset& dataset,
                                                 const data::BatchPlanOptions& plan,
                                                 std::int64_t steps_per_epoch) {
  return std::make_unique<DatasetSource>(model, dataset, plan, steps_per_epoch);
}

std::unique_ptr<BatchSource> make_pipeline_source(const Model::Impl& model,
                                                  const Pipeline& pipeline,
                                                  std::int64_t steps_per_epoch) {
  const int workers = model.exchange().workers();
  if (workers > 1 && steps_per_epoch == 0) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat(workers,
                              " workers train from pipelines, and none can know how many steps the "
                              "others have"),
                "Set FitOptions::steps_per_epoch");
  }
  return std::make_unique<PipelineSource>(model, pipeline, steps_per_epoch);
}

std::unique_ptr<BatchSource> make_pipeline_pass(const Model::Impl& model,
                                                const Pipeline& pipeline) {
  return std::make_unique<PipelineSource>(model, pipeline, 0);
}

}  // namespace dtrain::inline v0::strategy
