// fit() with a folder for checkpoints, on clusters.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/mutex.h"
#include "strategy/checkpoint_fixture.h"
#include "strategy/cluster_harness.h"
#include "support/temporary_folder.h"

namespace dtrain::inline v0 {
namespace {

using support::TemporaryFolder;

struct Job {
  int workers = 2;
  int servers = 2;
  FitOptions options;
  Training training = {};
  Consistency consistency = Synchronous{};
};

struct Finished {
  std::vector<float> values;  ///< The chief's.
  History history;
  std::map<Task, std::string> errors;
};

Finished train(const Job& job) {
  Finished finished;
  finished.errors = run_cluster(job.workers, job.servers, [&](Cluster& cluster) {
    Model model = build(
        Strategy::parameter_server(cluster, {.consistency = job.consistency, .chunk_bytes = 256}),
        job.training);
    FitOptions options = job.options;
    // Only the chief sees the folder.
    if (!cluster.is_chief() && !options.checkpoint_dir.empty()) {
      options.checkpoint_dir = "/proc/no/such/folder";
    }
    const History history = model.fit(separable_points(), options);
    if (!cluster.is_chief()) return;
    finished.history = history;
    finished.values = all_values(model);
  });
  return finished;
}

Finished train_well(const Job& job) {
  const Finished finished = train(job);
  EXPECT_TRUE(finished.errors.empty()) << finished.errors.begin()->second;
  return finished;
}

FitOptions limited(const std::string& folder, std::int64_t steps) {
  FitOptions options = fit_options(folder);
  options.steps_max = steps;
  return options;
}

TEST(CheckpointCluster, AResumedSynchronousJobHasTheBitsOfAnUndisturbedOne) {
  for (const Optimizer& optimizer :
       {Optimizer(Sgd{.learning_rate = 0.05F, .momentum = 0.9F}), Optimizer(Adam{})}) {
    SCOPED_TRACE(to_string(optimizer));
    const Training training{.optimizer = optimizer};
    const Finished undisturbed = train_well({.options = fit_options(), .training = training});
    for (const int servers : {1, 2, 5}) {
      const TemporaryFolder folder;
      FitOptions options = limited(folder.path(), 18);
      options.checkpoint.every_steps = 4;
      train_well({.options = options, .training = training});
      std::filesystem::remove(folder.file("ckpt-18"));  // as if killed before the end
      options.steps_max = 40;
      const Finished resumed =
          train_well({.servers = servers, .options = options, .training = training});
      EXPECT_EQ(resumed.values, undisturbed.values) << servers << " servers";
      EXPECT_EQ(resumed.history.epoch, (std::vector<int>{2, 3, 4, 5}));
      for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_NEAR(resumed.history.history.at("loss")[i],
                    undisturbed.history.history.at("loss")[i + 2], 1e-12)
            << "the sums of the epoch that was cut are whole";
      }
    }
  }
}

TEST(CheckpointCluster, AnotherNumberOfWorkersGoesOnWithTheSameBatches) {
  const Finished undisturbed = train_well({.options = fit_options()});
  for (const int workers : {1, 3}) {
    const TemporaryFolder folder;
    train_well({.options = limited(folder.path(), 18)});
    const Finished resumed =
        train_well({.workers = workers, .options = fit_options(folder.path())});
    ASSERT_EQ(resumed.values.size(), undisturbed.values.size());
    for (std::size_t i = 0; i < resumed.values.size(); ++i) {
      ASSERT_NEAR(resumed.values[i], undisturbed.values[i], 1e-5) << workers << " workers";
    }
  }
}

TEST(CheckpointCluster, AJobGoesOnInOneProcessAndBack) {
  const TemporaryFolder folder;
  const Finished first = train_well({.workers = 1, .options = limited(folder.path(), 18)});
  Model model = build(Strategy::local());
  EXPECT_EQ(model.fit(separable_points(), limited(folder.path(), 25)).steps, 25);
  const Finished resumed = train_well({.workers = 1, .options = fit_options(folder.path())});
  const Finished undisturbed = train_well({.workers = 1, .options = fit_options()});
  for (std::size_t i = 0; i < resumed.values.size(); ++i) {
    ASSERT_NEAR(resumed.values[i], undisturbed.values[i], 1e-5);
  }
}

TEST(CheckpointCluster, ModelsLargerThanAPieceOfACheckpointComeBackWhole) {
  constexpr std::int64_t kFeatures = 1100;
  std::vector<float> features(4 * kFeatures);
  for (std::size_t i = 0; i < features.size(); ++i) features[i] = static_cast<float>(i % 97) / 97;
  const Dataset data = Dataset::from_memory(features, {kFeatures}, std::vector<float>(4), {1});
  const auto values_after = [&](int servers, const FitOptions& options) {
    std::vector<float> values;
    const auto errors = run_cluster(1, servers, [&](Cluster& cluster) {
      Model model = Strategy::parameter_server(cluster).build(
          {.input_shape = {kFeatures}, .layers = {Dense{1000}, Dense{1}}});
      EXPECT_GT(model.parameter_count(), std::size_t{1} << 20);
      model.compile({.optimizer = Adam{}, .loss = MeanSquaredError{}});
      model.fit(data, options);
      values = all_values(model);
    });
    EXPECT_TRUE(errors.empty()) << errors.begin()->second;
    return values;
  };
  const TemporaryFolder folder;
  FitOptions options{
      .batch_size = 4, .checkpoint_dir = folder.path(), .verbosity = Verbosity::kSilent};
  options.epochs = 2;
  values_after(2, options);
  options.epochs = 3;
  const std::vector<float> resumed = values_after(3, options);
  options.checkpoint_dir.clear();
  EXPECT_TRUE(resumed == values_after(1, options));
}

TEST(CheckpointCluster, ByTimeTheChiefSavesOnItsOwn) {
  const TemporaryFolder folder;
  FitOptions options = limited(folder.path(), 18);
  options.checkpoint = {.every = std::chrono::milliseconds(1), .max_to_keep = 100};
  train_well({.options = options});
  std::filesystem::remove(folder.file("ckpt-18"));
  options.steps_max = 40;
  EXPECT_EQ(train_well({.options = options}).values, train_well({.options = fit_options()}).values);
}

TEST(CheckpointCluster, AsynchronousJobsResumeToo) {
  const TemporaryFolder folder;
  Job job{.workers = 3, .options = limited(folder.path(), 10), .consistency = Asynchronous{}};
  job.options.checkpoint.every_steps = 3;
  job.options.batch_size = 4;  // 17, 17 and 16 examples
  EXPECT_EQ(train_well(job).history.steps, 10);
  job.options.steps_max = 20;
  EXPECT_EQ(train_well(job).history.steps, 20);
  job.workers = 2;
  job.servers = 1;
  job.options.steps_max = 30;
  const Finished fewer = train_well(job);
  EXPECT_EQ(fewer.history.steps, 30);
  EXPECT_GT(fewer.history.history.at("accuracy").back(), 0.5);
}

TEST(CheckpointCluster, AFolderThatTheChiefCannotWriteEndsTheJobAtOnce) {
  const Finished finished = train({.options = fit_options("/proc/no/such/folder")});
  ASSERT_EQ(finished.errors.size(), 4U);
  for (const auto& [task, error] : finished.errors) {
    EXPECT_NE(error.find("/proc/no/such/folder"), std::string::npos) << error;
  }
}

TEST(CheckpointCluster, ASaveThatFailsEndsTheJobNamingTheFile) {
  const TemporaryFolder folder;
  const std::string path = folder.file("ckpt");
  for (const Consistency& consistency : {Consistency(Synchronous{}), Consistency(Asynchronous{})}) {
    FitOptions options = fit_options(path);
    options.checkpoint.every_steps = 10;
    // As when a disk is taken away: what the chief finds there is no folder any more.
    options.on_step_end = [&](std::int64_t step) {
      if (step == 12) std::filesystem::rename(path, folder.file("elsewhere"));
    };
    const Finished finished = train({.workers = 1, .options = options, .consistency = consistency});
    ASSERT_EQ(finished.errors.size(), 3U);
    for (const auto& [task, error] : finished.errors) {
      EXPECT_NE(error.find("ckpt-20.tmp\" cannot be created"), std::string::npos) << error;
    }
    std::filesystem::remove_all(folder.file("elsewhere"));
  }
}

TEST(CheckpointCluster, ACheckpointOfAnotherModelEndsTheJobAtOnce) {
  const TemporaryFolder folder;
  train_well({.options = limited(folder.path(), 5)});
  const Finished finished =
      train({.options = fit_options(folder.path()), .training = {.units = 17}});
  ASSERT_EQ(finished.errors.size(), 4U);
  for (const auto& [task, error] : finished.errors) {
    EXPECT_NE(error.find("\"dense_1/kernel\""), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace dtrain::inline v0
