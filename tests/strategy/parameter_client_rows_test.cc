#include <gtest/gtest.h>

#include <functional>

#include "dtrain/error.h"
#include "dtrain/parameter_client.h"
#include "strategy/cluster_harness.h"

namespace dtrain::inline v0 {
namespace {

using Keys = std::vector<std::uint64_t>;

std::vector<RowTable> tables() {
  return {{.name = "users", .rows = 10, .width = 2, .initializer = Zeros{}},
          {.name = "items", .rows = 1'000'000, .width = 3, .initializer = Constant{1.0F}}};
}

TEST(ParameterClientRows, AStepHasRowsAndVariablesAndDuplicates) {
  const auto errors = run_cluster(2, 3, [](Cluster& cluster) {
    ParameterClient client(cluster, {.chunk_bytes = 256});
    client.declare({{.name = "bias", .shape = {3}}}, tables(), Sgd{.learning_rate = 1.0F});
    // Worker 0 names key 9 twice, worker 1 once; the mean over both is applied.
    const Keys users = cluster.rank() == 0 ? Keys{9, 0, 9} : Keys{9};
    const std::vector<float> gradients =
        cluster.rank() == 0 ? std::vector<float>{1, 2, 10, 20, 3, 4} : std::vector<float>{4, 6};
    const std::vector<float> bias_gradient(3, static_cast<float>(cluster.rank()));
    std::vector<float> bias(3);
    client.pull({"bias", bias});
    EXPECT_EQ(client.push_pull({{"bias", bias_gradient}}, {{"bias", bias}},
                               {.rows = {{"users", users, gradients}, {"items", {}, {}}}}),
              1U);
    EXPECT_EQ(bias, std::vector<float>(3, -0.5F));
    const Keys keys{0, 9, 5, 9};
    const Keys item{999'999};
    std::vector<float> values(8), item_values(3);
    client.pull_rows({{"items", item, item_values}, {"users", keys, values}});
    EXPECT_EQ(values, (std::vector<float>{-5, -10, -4, -6, 0, 0, -4, -6}));
    EXPECT_EQ(item_values, std::vector<float>(3, 1.0F));
    client.pull_rows(RowValues{"users", {}, {}});
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterClientRows, TablesNeedNoVariables) {
  const auto errors = run_cluster(1, 2, [](Cluster& cluster) {
    ParameterClient client(cluster, {.consistency = Asynchronous{}});
    client.declare({}, tables(), Sgd{.learning_rate = 1.0F});
    const Keys keys{3, 8};
    const std::vector<float> gradients{1, 1, 2, 2};
    std::vector<float> values(4);
    client.pull_rows({"users", keys, values});
    EXPECT_EQ(values, std::vector<float>(4));
    std::vector<PendingOperation> pending;
    for (int i = 0; i < 3; ++i)
      pending.push_back(client.push_rows_async({{"users", keys, gradients}}));
    for (PendingOperation& operation : pending) operation.wait();
    EXPECT_EQ(client.push_rows({"users", keys, gradients}), 4U);
    EXPECT_EQ(client.pull_rows_async({{"users", keys, values}}).wait(), 4U);
    EXPECT_EQ(values, (std::vector<float>{-4, -4, -8, -8}));
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterClientRows, MistakesAreNamedBeforeAnythingIsSent) {
  const auto errors = run_cluster(1, 1, [](Cluster& cluster) {
    ParameterClient client(cluster);
    const auto says = [](const char* what, const std::function<void()>& call) {
      const std::string error = error_of(call);
      EXPECT_NE(error.find(what), std::string::npos) << error;
    };
    std::vector<float> values(4);
    const Keys keys{3, 10};
    const Keys one{3};
    says("Call declare() first", [&] { client.pull_rows({"users", one, values}); });
    says("row table \"t\": it has 0 rows of 2 elements",
         [&] { client.declare({}, {{.name = "t", .rows = 0, .width = 2}}, Sgd{}); });
    client.declare({{.name = "w", .shape = {1}}}, tables(), Sgd{});
    says("there is no row table \"w\". Declared are: users, items", [&] {
      client.pull_rows({"w", one, values});
    });
    says("1 rows of \"users\" of 2 elements were given 4", [&] {
      client.pull_rows({"users", one, values});
    });
    says("key 1 is 10, but \"users\" has 10 rows", [&] {
      client.pull_rows({"users", keys, values});
    });
    says("key 1 is 10", [&] { client.push_rows({"users", keys, values}); });
    says("\"users\" is named twice", [&] {
      client.push_rows({{"users", one, std::span(values).first(2)}}, {.rows = {{"users", {}, {}}}});
    });
    says("names no variable", [&] { client.pull_rows(std::vector<RowValues>{}); });
    client.pull_rows({"users", one, std::span(values).first(2)});  // and it still works
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterClientRows, AServerWithoutMemoryForItsRowsSaysSo) {
  const auto errors = run_cluster(1, 1, [](Cluster& cluster) {
    ParameterClient client(cluster);
    client.declare({}, {{.name = "t", .rows = std::int64_t{1} << 46, .width = 1024}}, Sgd{});
  });
  ASSERT_FALSE(errors.empty());
  EXPECT_NE(errors.at({Role::kWorker, 0}).find("has no memory for its slice"), std::string::npos)
      << errors.at({Role::kWorker, 0});
}

}  // namespace
}  // namespace dtrain::inline v0
