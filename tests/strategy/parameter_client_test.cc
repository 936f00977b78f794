#include "dtrain/parameter_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "dtrain/error.h"
#include "strategy/cluster_harness.h"

namespace dtrain::inline v0 {
namespace {

const std::vector<Variable> kVariables{{.name = "w", .shape = {7, 5}}, {.name = "b", .shape = {3}}};

TEST(ParameterClient, PullsWhatRankZeroGaveAndPushesMeans) {
  const auto errors = run_cluster(2, 2, [](Cluster& cluster) {
    ParameterClient client(cluster);
    // Only the chief's first values count.
    const std::vector<float> first(35, cluster.is_chief() ? 1.0F : 99.0F);
    client.declare({{.name = "w", .shape = {7, 5}, .initial = first}, {.name = "b", .shape = {3}}},
                   Sgd{.learning_rate = 1.0F});
    std::vector<float> w(35), b(3);
    client.pull({{"w", w}, {"b", b}});
    EXPECT_EQ(w, std::vector<float>(35, 1.0F));
    EXPECT_EQ(b, std::vector<float>(3, 0.0F));
    const std::vector<float> gradient(35, static_cast<float>(cluster.rank()));
    EXPECT_EQ(client.push({"w", gradient}), 1U);
    client.pull({"w", w});
    EXPECT_EQ(w, std::vector<float>(35, 0.5F));
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterClient, FusedAndAsyncFormsDoTheSame) {
  const auto errors = run_cluster(1, 2, [](Cluster& cluster) {
    ParameterClient client(cluster, {.consistency = Asynchronous{}, .chunk_bytes = 256});
    client.declare(kVariables, Sgd{.learning_rate = 1.0F});
    const std::vector<float> w_gradient(35, 1.0F);
    const std::vector<float> b_gradient(3, 2.0F);
    std::vector<float> w(35), b(3);
    std::vector<PendingOperation> pending;
    for (int i = 0; i < 4; ++i) {
      pending.push_back(client.push_async({{"w", w_gradient}, {"b", b_gradient}}));
    }
    for (PendingOperation& operation : pending) operation.wait();
    client.push_pull({{"b", b_gradient}, {"w", w_gradient}}, {{"w", w}, {"b", b}});
    EXPECT_EQ(w, std::vector<float>(35, -5.0F));
    EXPECT_EQ(b, std::vector<float>(3, -10.0F));
    PendingOperation pull = client.pull_async({{"b", b}});
    EXPECT_EQ(pull.wait(), 5U);
    EXPECT_TRUE(pull.done());
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterClient, AsynchronousPushesAreClippedByTheirWorker) {
  const auto errors = run_cluster(1, 3, [](Cluster& cluster) {
    ParameterClient client(cluster, {.consistency = Asynchronous{}, .chunk_bytes = 256});
    client.declare({{.name = "w", .shape = {100}}, {.name = "b", .shape = {100}}},
                   Sgd{.learning_rate = 1.0F}, {.clipping = {.norm = 20.0F}});
    const std::vector<float> large(100, 4.0F);  // norm 40
    const std::vector<float> small(100, 1.0F);  // norm 10
    std::vector<float> w(100), b(100);
    client.push_pull({{"w", large}, {"b", small}}, {{"w", w}, {"b", b}}, {.examples = 7});
    EXPECT_EQ(w, std::vector<float>(100, -2.0F));
    EXPECT_EQ(b, std::vector<float>(100, -1.0F));
    EXPECT_EQ(large, std::vector<float>(100, 4.0F)) << "the caller's gradient stays as it was";
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterClient, ANormIsOverTheVariablesOfThePush) {
  const auto errors = run_cluster(2, 3, [](Cluster& cluster) {
    ParameterClient client(cluster);
    client.declare({{.name = "w", .shape = {100}}, {.name = "b", .shape = {100}}},
                   Sgd{.learning_rate = 1.0F}, {.clipping = {.global_norm = 20.0F}});
    std::vector<float> w(100), b(100);
    client.pull({{"w", w}, {"b", b}});
    const std::vector<float> gradient(100, cluster.is_chief() ? 6.0F : 2.0F);  // mean 4, norm 40
    EXPECT_EQ(client.push({"w", gradient}), 1U);
    client.pull({{"w", w}, {"b", b}});
    EXPECT_EQ(w, std::vector<float>(100, -2.0F));
    EXPECT_EQ(b, std::vector<float>(100, 0.0F));
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterClient, NeighboursInMemoryAreReadWhereTheyLieTogether) {
  const auto errors = run_cluster(1, 1, [](Cluster& cluster) {
    constexpr std::size_t kCount = 1024;
    const std::vector<std::string> names = {"a", "b", "c", "d"};
    std::vector<Variable> variables;
    for (const std::string& name : names) variables.push_back({.name = name, .shape = {kCount}});
    ParameterClient client(cluster);
    client.declare(variables, Sgd{.learning_rate = 1.0F});
    TransferMemory memory = client.allocate(8 * kCount);
    // a and b are neighbours here as among the variables; d and c lie the other way round.
    const auto place = [&](std::size_t i, std::size_t from) {
      return memory.span().subspan((from + (i == 2 ? 3 : i == 3 ? 2 : i)) * kCount, kCount);
    };
    std::vector<NamedGradient> gradients;
    std::vector<NamedValues> values;
    for (std::size_t i = 0; i < names.size(); ++i) {
      std::ranges::fill(place(i, 0), static_cast<float>(i + 1));
      gradients.push_back({names[i], place(i, 0)});
      values.push_back({names[i], place(i, 4)});
    }
    client.push_pull(gradients, values);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto expected = -static_cast<float>(i + 1);
      EXPECT_EQ(std::ranges::count(place(i, 4), expected), static_cast<std::ptrdiff_t>(kCount));
    }
    client.push({gradients[0], gradients[1]});
    const Traffic before = cluster.traffic();
    client.push({gradients[0], gradients[1]});
    EXPECT_EQ(cluster.traffic().staged_bytes, before.staged_bytes);
    client.pull({values[1], values[0]});
    EXPECT_EQ(values[0].values[0], -3.0F);
    EXPECT_EQ(values[1].values[kCount - 1], -6.0F);
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterClient, AllocatedMemoryIsReadWhereItLies) {
  const auto errors = run_cluster(1, 2, [](Cluster& cluster) {
    constexpr std::size_t kCount = 100'000;
    ParameterClient client(cluster);
    client.declare({{.name = "w", .shape = {1000, 100}}}, Sgd{.learning_rate = 1.0F});
    TransferMemory memory = client.allocate(2 * kCount);
    const std::span<float> gradient = memory.span().first(kCount);
    const std::span<float> values = memory.span().last(kCount);
    EXPECT_EQ(values.back(), 0.0F);
    std::ranges::fill(gradient, 2.0F);
    client.pull({"w", values});
    const Traffic before = cluster.traffic();
    client.push_pull({{"w", gradient}}, {{"w", values}});
    EXPECT_EQ(std::ranges::count(values, -2.0F), static_cast<std::ptrdiff_t>(kCount));
    const Traffic lent = cluster.traffic();
    EXPECT_EQ(lent.shared_bytes_sent - before.shared_bytes_sent, kCount * sizeof(float));
    EXPECT_EQ(lent.staged_bytes, before.staged_bytes);
    // Memory of the caller's own works too, by way of a copy.
    client.push({"w", std::vector<float>(kCount, 1.0F)});
    const Traffic copied = cluster.traffic();
    EXPECT_EQ(copied.staged_bytes - lent.staged_bytes, kCount * sizeof(float));
    EXPECT_EQ(copied.network_bytes_sent, 0U);
    memory = client.allocate(1);
    EXPECT_EQ(memory.span().size(), 1U);
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

TEST(ParameterClient, MistakesAreNamedBeforeAnythingIsSent) {
  const auto errors = run_cluster(1, 1, [](Cluster& cluster) {
    ParameterClient client(cluster);
    std::vector<float> w(35), b(3), small(2);
    const auto says = [](const char* what, const std::function<void()>& call) {
      const std::string error = error_of(call);
      EXPECT_NE(error.find(what), std::string::npos) << error;
    };
    says("Call declare() first", [&] { client.pull({"w", w}); });
    says("beta_1", [&] { client.declare(kVariables, Adam{.beta_1 = 1.0F}); });
    says("variable \"w\" has 4 elements, but 2 first values",
         [&] { client.declare({{.name = "w", .shape = {4}, .initial = small}}, Sgd{}); });
    says("matches no variable. Variables are: w, b", [&] {
      client.declare(kVariables, Sgd{}, {.groups = {{.variables = {"v*"}, .frozen = true}}});
    });
    client.declare(kVariables, Sgd{});
    says("declared already", [&] { client.declare(kVariables, Sgd{}); });
    says("there is no variable \"v\". Declared are: w, b", [&] { client.pull({"v", w}); });
    says("\"w\" has the shape (7, 5), 35 elements, but was given 2", [&] {
      client.pull({"w", small});
    });
    says("named twice", [&] { client.push({{"w", w}, {"w", w}}); });
    says("names no variable", [&] { client.push(std::vector<NamedGradient>{}); });
    says("other variables", [&] { client.push_pull({{"w", w}}, {{"b", b}}); });
    client.pull({"w", w});  // and it still works
  });
  EXPECT_EQ(errors.size(), 0U) << errors.begin()->second;
}

TEST(ParameterClient, NeedsServersAndAWorker) {
  Cluster alone{ClusterSpec()};
  EXPECT_NE(error_of([&] { ParameterClient client(alone); }).find("its cluster has no ps"),
            std::string::npos);
}

TEST(ParameterClient, WorkersThatDeclareDifferentThingsFailTogether) {
  const auto errors = run_cluster(2, 1, [](Cluster& cluster) {
    ParameterClient client(cluster);
    client.declare({{.name = cluster.is_chief() ? "w" : "v", .shape = {4}}}, Sgd{});
    std::vector<float> values(4);
    client.pull({cluster.is_chief() ? "w" : "v", values});
    cluster.barrier("both");
  });
  ASSERT_GE(errors.size(), 2U);
  for (const auto& [task, error] : errors) {
    if (task.role == Role::kWorker) {
      EXPECT_NE(error.find("declares something else"), std::string::npos) << error;
    }
  }
}

}  // namespace
}  // namespace dtrain::inline v0
