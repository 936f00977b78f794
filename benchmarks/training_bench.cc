// Training steps, whole: `training/mlp` is 784-1024-1024-10 with batches of 64 per worker,
// `training/embedding` 26 of 1,000,000 rows of 32 per example with batches of 1,024. Each sample is
// a job of processes of its own, one computing thread each.
#include "training_bench.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "bench/limits_product.h"
#include "measure.h"
#include "training_job.h"

namespace dtrain::benchmarks {
namespace {

constexpr double kMlpBatch = 64;
constexpr double kEmbeddingBatch = 1024;

/// Seconds for the examples of one step of all workers.
double seconds_per_step(const std::vector<TrainingReport>& reports, double batch) {
  return batch * static_cast<double>(reports.size()) / examples_per_s(reports);
}

double sample(const TrainingJob& job, double batch) { return seconds_per_step(run(job), batch); }

/// The products of one step of the perceptron, each in the shape in which the model computes it,
/// with operands of its own. A kernel's gradient comes in pieces of about a megabyte.
class StepProducts {
 public:
  StepProducts() {
    constexpr std::size_t kExamples = 64;
    const std::size_t widths[] = {784, 1024, 1024, 10};
    for (std::size_t layer = 0; layer < 3; ++layer) {
      const std::size_t inputs = widths[layer];
      const std::size_t units = widths[layer + 1];
      add({.m = kExamples, .k = inputs, .n = units});
      constexpr std::size_t kPieceRows = 240;
      for (std::size_t row = 0; row < inputs; row += kPieceRows) {
        add({.m = std::min(kPieceRows, inputs - row),
             .k = kExamples,
             .n = units,
             .transpose_a = true});
      }
      if (layer > 0) add({.m = kExamples, .k = units, .n = inputs, .transpose_b = true});
    }
  }
  double sample() {
    double seconds = 0;
    for (const auto& product : products_) seconds += product->sample();
    return seconds;
  }

 private:
  void add(const bench::ProductShape& shape) {
    products_.push_back(std::make_unique<bench::ProductLimit>(shape));
  }
  std::vector<std::unique_ptr<bench::ProductLimit>> products_;
};

TrainingJob job_of(const ProgramOptions& options, const char* model, const char* mode, int workers,
                   int servers) {
  TrainingJob job{.model = model, .mode = mode, .workers = workers, .servers = servers};
  const bool small = options.small;
  if (job.model == "mlp") {
    job.steps = small ? 16 : 64;
    job.warmup = small ? 4 : 16;
    job.epoch_steps = small ? 8 : 32;
  } else {
    job.steps = small ? 6 : 32;
    job.warmup = small ? 2 : 32;  // rows that are new cost more
    job.epoch_steps = small ? 2 : 16;
  }
  return job;
}

}  // namespace

void register_training(const ProgramOptions& options) {
  // Beside the limit: the same products and nothing else.
  add_case("training/mlp/local", options, [options] {
    const TrainingJob job = job_of(options, "mlp", "local", 1, 0);
    auto products = std::make_shared<StepProducts>();
    return Comparison{.result = [job] { return sample(job, kMlpBatch); },
                      .limit = [products] { return products->sample(); },
                      .items = kMlpBatch};
  });
  // Beside the same training without servers, by as many processes.
  const auto add_cluster = [&options](const char* name, const char* model, const char* mode,
                                      int workers, int servers, double batch) {
    add_case(name, options, [=] {
      const TrainingJob job = job_of(options, model, mode, workers, servers);
      const TrainingJob alone = job_of(options, model, "local", workers, 0);
      return Comparison{.result = [=] { return sample(job, batch); },
                        .limit = [=] { return sample(alone, batch); },
                        .items = batch * workers};
    });
  };
  add_cluster("training/mlp/w1s1", "mlp", "sync", 1, 1, kMlpBatch);
  if (options.small) return;
  add_cluster("training/mlp/w2s2", "mlp", "async", 2, 2, kMlpBatch);
  add_cluster("training/mlp/w2s2/sync", "mlp", "sync", 2, 2, kMlpBatch);
  add_cluster("training/embedding/w1s1", "embedding", "async", 1, 1, kEmbeddingBatch);
  add_cluster("training/embedding/w2s2", "embedding", "async", 2, 2, kEmbeddingBatch);
}

}  // namespace dtrain::benchmarks
