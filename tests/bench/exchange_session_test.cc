#include "bench/exchange_session.h"

#include <gtest/gtest.h>

#include "bench/exchange_run.h"
#include "dtrain/error.h"
#include "strategy/cluster_harness.h"

namespace dtrain::inline v0::bench {
namespace {

std::vector<LimitProbe> no_probes(const Traffic&) { return {}; }

// A whole benchmark over the threads of this process, in small.
ExchangeResult measure(ExchangeOptions options, int workers, int servers) {
  options.repetitions = 30;
  options.warmup = 2;
  ExchangeResult found;
  const auto errors = run_cluster(workers, servers, [&](Cluster& cluster) {
    if (const auto result = run_exchange(cluster, options, no_probes)) found = *result;
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
  return found;
}

TEST(ExchangeSessionTest, EveryWorkloadGivesTheRightValues) {
  for (const bool asynchronous : {false, true}) {
    for (const auto workload : {Workload::kPush, Workload::kPull, Workload::kPushPull,
                                Workload::kRowsPull, Workload::kRowsPush}) {
      SCOPED_TRACE(to_string(workload));
      const ExchangeResult result = measure({.workload = workload,
                                             .size_bytes = 4000,
                                             .variables = 7,
                                             .asynchronous = asynchronous,
                                             .chunk_bytes = 512,
                                             .rows = 500,
                                             .width = 3,
                                             .keys = 100},
                                            3, 2);
      ASSERT_EQ(result.workers.size(), 3U);
      for (const Samples& worker : result.workers) EXPECT_EQ(worker.count(), 30U);
      EXPECT_EQ(result.together().count(), 90U);
      EXPECT_EQ(result.servers.size(), 2U);
      EXPECT_FALSE(result.transport.empty());
    }
  }
}

TEST(ExchangeSessionTest, SixteenBitGradientsOfOwnMemoryToo) {
  for (const auto dtype : {GradientType::kBFloat16, GradientType::kFloat16}) {
    measure({.size_bytes = 4096, .dtype = dtype, .arena = false}, 5, 1);
  }
}

// Does as follow() does, with gradients of its own.
void follow_with_wrong_gradients(Cluster& cluster, const ExchangeOptions& options) {
  ParameterClient client(cluster);
  const std::vector<Variable> variables = variables_of(options);
  client.declare(variables, Sgd{.learning_rate = 1.0F});
  const std::vector<float> gradient(options.size_bytes / sizeof(float), 0.5F);
  while (cluster.all_gather("bench", "").front() != "finish") {
    for (int i = 0; i < 2; ++i) client.push({variables.front().name, gradient});
    cluster.barrier("bench-pushed");
    (void)cluster.all_gather("bench-times", Samples().encode(1000));
  }
}

TEST(ExchangeSessionTest, AWrongValueIsAnError) {
  const ExchangeOptions options{.workload = Workload::kPush, .size_bytes = 400};
  const auto errors = run_cluster(2, 1, [&](Cluster& cluster) {
    if (!cluster.is_chief()) {
      follow_with_wrong_gradients(cluster, options);
      return;
    }
    ExchangeSession session(cluster, options);
    (void)session.run({Workload::kPush, 1, true});
  });
  const auto chief = errors.find({Role::kWorker, 0});
  ASSERT_NE(chief, errors.end());
  EXPECT_NE(chief->second.find("[DATA_LOSS] worker 0 got "), std::string::npos) << chief->second;
  EXPECT_NE(chief->second.find("element 0 of \"variable_0\" after 2 steps"), std::string::npos)
      << chief->second;
}

TEST(ExchangeSessionTest, PushesEndBeforeValuesCeaseToBeExact) {
  const auto errors = run_cluster(1, 1, [](Cluster& cluster) {
    ExchangeSession session(cluster, {.workload = Workload::kPush, .size_bytes = 4});
    const auto left = static_cast<std::uint32_t>(session.pushes_left());
    try {
      (void)session.run({Workload::kPush, left, false});
      ADD_FAILURE() << "it was allowed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kFailedPrecondition) << error.what();
    }
    EXPECT_EQ(session.pushes_left(), left);
    (void)session.finish();
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

}  // namespace
}  // namespace dtrain::inline v0::bench
