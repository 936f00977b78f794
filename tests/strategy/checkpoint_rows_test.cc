// Checkpoints of models whose embeddings are rows on the servers.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/philox.h"
#include "dtrain/dtrain.h"
#include "strategy/cluster_harness.h"
#include "support/temporary_folder.h"

namespace dtrain::inline v0 {
namespace {

using support::TemporaryFolder;

Dataset pairs_of_ids() {
  base::PhiloxStream random(5);
  std::vector<std::int64_t> ids;
  std::vector<float> targets;
  for (int i = 0; i < 60; ++i) {
    ids.push_back(static_cast<std::int64_t>(random.below(30)));
    ids.push_back(static_cast<std::int64_t>(30 + random.below(30)));
    targets.push_back(static_cast<float>(ids[ids.size() - 2] % 7) - 3.0F);
  }
  return Dataset::from_memory(ids, {2}, targets);
}

Model build(const Strategy& strategy, const Optimizer& optimizer) {
  Model model = strategy.build({.input_shape = {2},
                                .layers = {Embedding{.input_dim = 100, .output_dim = 3}, Flatten{},
                                           Dense{4, Activation::kTanh}, Dense{1}}},
                               {.seed = 2});
  model.compile({.optimizer = optimizer, .loss = MeanSquaredError{}});
  return model;
}

struct Job {
  Optimizer optimizer;
  RowUpdates updates = RowUpdates::kLazy;
  Consistency consistency = Synchronous{};
  int servers = 2;
};

FitOptions until(std::int64_t steps, const std::string& folder) {
  return {.epochs = 100,
          .batch_size = 16,
          .steps_max = steps,
          .checkpoint_dir = folder,
          .verbosity = Verbosity::kSilent};
}

/// The embedding's table and the last kernel.
std::vector<float> values_of(const Model& model) {
  std::vector<float> values = model.variable("embedding/embeddings");
  const std::vector<float> kernel = model.variable("dense_1/kernel");
  values.insert(values.end(), kernel.begin(), kernel.end());
  return values;
}

std::vector<float> train(const Job& job, const FitOptions& options) {
  std::vector<float> values;
  const auto errors = run_cluster(2, job.servers, [&](Cluster& cluster) {
    Model model = build(Strategy::parameter_server(cluster, {.consistency = job.consistency,
                                                             .chunk_bytes = 256,
                                                             .row_updates = job.updates}),
                        job.optimizer);
    model.fit(pairs_of_ids(), options);
    if (cluster.is_chief()) values = values_of(model);
    cluster.barrier("values");
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
  return values;
}

TEST(CheckpointRows, AResumedJobHasTheBitsOfAnUndisturbedOne) {
  for (const RowUpdates updates : {RowUpdates::kLazy, RowUpdates::kDense}) {
    // Adagrad's slots do not begin at 0.
    for (const Optimizer& optimizer : {Optimizer(Adam{}), Optimizer(Adagrad{})}) {
      SCOPED_TRACE(to_string(optimizer));
      Job job{.optimizer = optimizer, .updates = updates};
      const std::vector<float> undisturbed = train(job, until(20, {}));
      const TemporaryFolder folder;
      train(job, until(9, folder.path()));
      job.servers = 3;
      EXPECT_EQ(train(job, until(20, folder.path())), undisturbed);
    }
  }
}

TEST(CheckpointRows, OneProcessGoesOnWhereTheServersWere) {
  const Job job{.optimizer = Adam{}, .updates = RowUpdates::kDense};
  const TemporaryFolder folder;
  train(job, until(9, folder.path()));
  Model model = build(Strategy::local(), job.optimizer);
  model.fit(pairs_of_ids(), until(20, folder.path()));
  const std::vector<float> undisturbed = train(job, until(20, {}));
  const std::vector<float> values = values_of(model);
  ASSERT_EQ(values.size(), undisturbed.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(values[i], undisturbed[i], 1e-5) << i;
  }
}

TEST(CheckpointRows, AsynchronousJobsSaveAndGoOn) {
  for (const Consistency& consistency :
       {Consistency(Asynchronous{}), Consistency(BoundedStaleness{2}),
        Consistency(Synchronous{1})}) {
    const Job job{.optimizer = Adam{}, .consistency = consistency};
    const TemporaryFolder folder;
    FitOptions options = until(12, folder.path());
    options.checkpoint.every_steps = 2;
    train(job, options);
    EXPECT_TRUE(latest_checkpoint(folder.path()));
    options.steps_max = 20;
    train(job, options);
  }
}

TEST(CheckpointRows, ServersWithoutVariablesHaveRowsToSave) {
  // More servers than rows of variables: some hold rows of the table only.
  Job job{.optimizer = Adam{}, .servers = 12};
  const std::vector<float> undisturbed = train(job, until(12, {}));
  const TemporaryFolder folder;
  train(job, until(5, folder.path()));
  EXPECT_EQ(train(job, until(12, folder.path())), undisturbed);
}

TEST(CheckpointRows, AnotherTableIsNamed) {
  const Job job{.optimizer = Adam{}};
  const TemporaryFolder folder;
  train(job, until(3, folder.path()));
  Model model =
      Strategy::local().build({.input_shape = {2},
                               .layers = {Embedding{.input_dim = 101, .output_dim = 3}, Flatten{},
                                          Dense{4, Activation::kTanh}, Dense{1}}});
  model.compile({.optimizer = job.optimizer, .loss = MeanSquaredError{}});
  const std::string error = error_of([&] { model.fit(pairs_of_ids(), until(5, folder.path())); });
  EXPECT_NE(error.find("its \"embedding/embeddings\" is float32 (100, 3), the model's float32 "
                       "(101, 3)"),
            std::string::npos)
      << error;
}

}  // namespace
}  // namespace dtrain::inline v0
