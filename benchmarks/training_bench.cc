// Training steps, whole: one thread per process unless the case says otherwise. Each sample is a
// job of processes of its own. training_workloads.cc has what is trained.
#include "training_bench.h"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/strings.h"
#include "bench/limits_product.h"
#include "measure.h"
#include "training_job.h"

namespace dtrain::benchmarks {
namespace {

/// How a workload is measured.
struct Measured {
  std::string model;
  double batch = 0;  ///< As training_task has it.
  int steps = 0;
  int warmup = 16;
  std::size_t epoch_steps = 64;  ///< The peers' too, where they are compared.
  /// Of its stack of Dense layers, the input's first, for the limit; empty: it has none.
  std::vector<std::size_t> widths = {};
};

const std::vector<Measured>& all_measured() {
  static const std::vector<Measured> measured = {
      {.model = "mlp", .batch = 64, .steps = 64, .widths = {784, 1024, 1024, 10}},
      {.model = "small", .batch = 64, .steps = 8192, .warmup = 1024, .widths = {64, 128, 10}},
      {.model = "convnet", .batch = 64, .steps = 128},
      {.model = "wide", .batch = 256, .steps = 2048, .warmup = 256},
      // Rows that are new cost more: each has come before.
      {.model = "embedding", .batch = 1024, .steps = 32, .warmup = 32, .epoch_steps = 16}};
  return measured;
}

const Measured& measured(const std::string& model) {
  const auto found = std::ranges::find(all_measured(), model, &Measured::model);
  if (found == all_measured().end()) throw std::invalid_argument(model + " is not measured");
  return *found;
}

TrainingJob job_of(const ProgramOptions& options, const Measured& what, const char* mode,
                   int workers, int servers) {
  TrainingJob job{.model = what.model,
                  .mode = mode,
                  .workers = workers,
                  .servers = servers,
                  .steps = what.steps,
                  .warmup = what.warmup,
                  .epoch_steps = what.epoch_steps};
  if (options.small) {
    job.steps = std::max(16, what.steps / 16);
    job.warmup = std::max(4, what.warmup / 4);
    job.epoch_steps = 8;
  }
  return job;
}

/// Seconds for the examples of one step of all workers.
double seconds_per_step(const std::vector<TrainingReport>& reports, double batch) {
  return batch * static_cast<double>(reports.size()) / examples_per_s(reports);
}

double sample(const TrainingJob& job, double batch) { return seconds_per_step(run(job), batch); }

/// The products of one step of a perceptron, each in the shape in which the model computes it, with
/// operands of its own. A kernel's gradient comes in pieces of about a megabyte.
class StepProducts {
 public:
  StepProducts(std::size_t examples, const std::vector<std::size_t>& widths) {
    constexpr std::size_t kPieceElements = 240 * 1024;
    for (std::size_t layer = 0; layer + 1 < widths.size(); ++layer) {
      const std::size_t inputs = widths[layer];
      const std::size_t units = widths[layer + 1];
      add({.m = examples, .k = inputs, .n = units});
      const std::size_t piece_rows = kPieceElements / units;
      for (std::size_t row = 0; row < inputs; row += piece_rows) {
        add({.m = std::min(piece_rows, inputs - row),
             .k = examples,
             .n = units,
             .transpose_a = true});
      }
      if (layer > 0) add({.m = examples, .k = units, .n = inputs, .transpose_b = true});
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

/// One process. Beside its limit where it has one: the same products and nothing else.
Comparison local_comparison(const ProgramOptions& options, const Measured& what) {
  const TrainingJob job = job_of(options, what, "local", 1, 0);
  const double batch = what.batch;
  auto first_loss = std::make_shared<double>(0.0);
  Comparison comparison{
      .result =
          [=] {
            const std::vector<TrainingReport> reports = run(job);
            *first_loss = reports.front().first_loss;
            return seconds_per_step(reports, batch);
          },
      .items = batch,
      .more = [=](benchmark::UserCounters& counters) { counters["first_loss"] = *first_loss; }};
  if (!what.widths.empty()) {
    auto products = std::make_shared<StepProducts>(static_cast<std::size_t>(batch), what.widths);
    comparison.limit = [products] { return products->sample(); };
  }
  return comparison;
}

/// Two threads beside one: the ratio is how many times as fast they are.
Comparison threads_comparison(const ProgramOptions& options, const Measured& what) {
  const TrainingJob one = job_of(options, what, "local", 1, 0);
  TrainingJob two = one;
  two.threads = 2;
  const double batch = what.batch;
  return {.result = [=] { return sample(two, batch); },
          .limit = [=] { return sample(one, batch); },
          .items = batch};
}

/// Beside the same training without servers, by as many processes.
Comparison cluster_comparison(const ProgramOptions& options, const Measured& what, const char* mode,
                              int workers, int servers) {
  const TrainingJob job = job_of(options, what, mode, workers, servers);
  const TrainingJob alone = job_of(options, what, "local", workers, 0);
  const double batch = what.batch;
  return {.result = [=] { return sample(job, batch); },
          .limit = [=] { return sample(alone, batch); },
          .items = batch * workers};
}

}  // namespace

void register_training(const ProgramOptions& options) {
  for (const char* model : {"mlp", "small", "convnet", "wide"}) {
    add_case(base::str_cat("training/", model, "/local"), options,
             [=] { return local_comparison(options, measured(model)); });
  }
  const auto add_cluster = [&](const char* model, const char* place, const char* mode, int workers,
                               int servers) {
    add_case(base::str_cat("training/", model, "/", place), options,
             [=] { return cluster_comparison(options, measured(model), mode, workers, servers); });
  };
  add_cluster("mlp", "w1s1", "sync", 1, 1);
  if (options.small) return;
  add_case("training/mlp/local/threads2", options,
           [=] { return threads_comparison(options, measured("mlp")); });
  add_cluster("mlp", "w2s2", "async", 2, 2);
  add_cluster("mlp", "w2s2/sync", "sync", 2, 2);
  add_cluster("embedding", "w1s1", "async", 1, 1);
  add_cluster("embedding", "w2s2", "async", 2, 2);
}

}  // namespace dtrain::benchmarks
