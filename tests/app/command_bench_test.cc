// `dtrain bench`, through the real program under `dtrain launch`.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "app/launch_fixture.h"
#include "dtrain/version.h"

namespace dtrain::app {
namespace {

using Json = nlohmann::json;

class BenchTest : public LaunchTest {
 protected:
  std::unique_ptr<Process> bench(const std::vector<std::string>& cluster,
                                 const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {DTRAIN_PROGRAM, "launch"};
    command.insert(command.end(), cluster.begin(), cluster.end());
    command.insert(command.end(), {"--", DTRAIN_PROGRAM, "bench"});
    command.insert(command.end(), arguments.begin(), arguments.end());
    return std::make_unique<Process>(
        ProcessOptions{.command = command,
                       .environment = {{"DTRAIN_TRANSPORT", std::nullopt}},
                       .directory = folder_.string()});
  }

  // What a benchmark of 2 workers and 2 servers wrote.
  Json result_of(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--repetitions", "12", "--json", "result.json"});
    const auto process = bench({"--workers", "2", "--ps", "2"}, arguments);
    const auto status = process->wait(std::chrono::seconds(60));
    EXPECT_EQ(status, ExitStatus{}) << process->err() << process->out();
    expect_contains(process->out(), "values are right");
    std::ifstream in(folder_ / "result.json");
    return Json::parse(in, nullptr, false);
  }

  void expect_wrong(const std::vector<std::string>& cluster,
                    const std::vector<std::string>& arguments, const std::string& message) {
    const auto process = bench(cluster, arguments);
    const auto status = process->wait();
    EXPECT_EQ(status, (ExitStatus{.code = 2})) << process->err();
    expect_contains(process->err(), message);
  }
};

TEST_F(BenchTest, EveryWorkerIsMeasuredAndTheMachineBesideIt) {
  const Json result = result_of({"push-pull", "--size", "256K", "--variables", "3"});
  ASSERT_TRUE(result.is_object());
  EXPECT_EQ(result["dtrain"], DTRAIN_VERSION);
  EXPECT_EQ(result["options"]["workload"], "push-pull");
  EXPECT_EQ(result["options"]["bytes"], 256 << 10);
  EXPECT_EQ(result["cluster"]["workers"], 2);
  EXPECT_EQ(result["cluster"]["ps"], 2);
  ASSERT_EQ(result["workers"].size(), 2U);
  for (const Json& worker : result["workers"]) {
    EXPECT_EQ(worker["count"], 12);
    EXPECT_GT(worker["min_us"], 0);
    EXPECT_LE(worker["min_us"], worker["p50_us"]);
    EXPECT_LE(worker["p50_us"], worker["p99_us"]);
    EXPECT_GT(worker["push_gb_per_s"], 0);
    EXPECT_EQ(worker["push_gb_per_s"], worker["pull_gb_per_s"]);
    EXPECT_FALSE(worker["host"].get<std::string>().empty());
  }
  EXPECT_EQ(result["together"]["count"], 24);
  ASSERT_FALSE(result["limits"].empty());
  for (const Json& limit : result["limits"]) EXPECT_GT(limit["ratio"], 0) << limit;
}

TEST_F(BenchTest, TheTransportThatWasUsedIsTold) {
  const Json result = result_of({"push", "--size", "4K", "--transport", "tcp", "--dtype", "bf16"});
  EXPECT_EQ(result["transport"], "tcp");
  EXPECT_GT(result["workers"][1]["network_bytes"], 0);
  EXPECT_EQ(result["workers"][1]["shared_bytes"], 0);
  EXPECT_EQ(result["options"]["dtype"], "bf16");
}

TEST_F(BenchTest, AsynchronousPushesOfOwnMemoryAddUp) {
  const Json result = result_of(
      {"push-pull", "--size", "64K", "--consistency", "async", "--memory", "own", "--no-limits"});
  EXPECT_EQ(result["options"]["consistency"], "async");
  EXPECT_TRUE(result["limits"].empty());
}

TEST_F(BenchTest, RowsAreMeasuredInKeys) {
  for (const char* workload : {"rows-pull", "rows-push"}) {
    const Json result = result_of({workload, "--rows", "10000", "--keys", "3000"});
    EXPECT_GT(result["together"]["keys_per_s"], 0);
    ASSERT_EQ(result["limits"].size(), 1U);
    EXPECT_GT(result["limits"][0]["ratio"], 0);
  }
}

TEST_F(BenchTest, ResultsCanGoToStandardOutputAlone) {
  const auto process = bench({"--workers", "1", "--ps", "1", "--generic-ps"},
                             {"pull", "--size", "4K", "--seconds", "0.1", "--json", "-"});
  const auto status = process->wait();
  EXPECT_EQ(status, ExitStatus{}) << process->err();
  const std::string lead = "[worker 0] ";
  const std::vector<std::string> lines = lines_of(process->out());
  ASSERT_EQ(lines.size(), 1U) << process->out();
  const Json result = Json::parse(lines.front().substr(lead.size()), nullptr, false);
  ASSERT_TRUE(result.is_object()) << process->out();
  EXPECT_GT(result["together"]["count"], 10);
}

TEST_F(BenchTest, WrongInputIsToldWithCode2) {
  const std::vector<std::string> cluster = {"--workers", "1", "--ps", "1"};
  expect_wrong(cluster, {"pushpull"}, "there is no workload \"pushpull\"");
  expect_wrong(cluster, {"push", "--size", "0"}, "--size is 0");
  expect_wrong(cluster, {"push", "--size", "1000G"}, "worker 0 would need");
  expect_wrong(cluster, {"push", "--consistency", "ssp"}, "--consistency is \"ssp\"");
  expect_wrong(cluster, {"rows-pull", "--rows", "10", "--keys", "11"}, "the table has 10 rows");
  expect_wrong(cluster, {"push", "--transport", "pigeon"}, "pigeon");
  expect_wrong({"--workers", "4", "--ps", "1"}, {"push", "--repetitions", "1000000"},
               "fp32 holds exactly");
  expect_wrong({"--workers", "1"}, {"push"}, "without a cluster");
  expect_wrong({"--workers", "2"}, {"push"}, "the cluster has no ps");
}

TEST_F(BenchTest, NobodyWaitsForAChiefThatCannotWriteItsResult) {
  const auto process = bench({"--workers", "2", "--ps", "1", "--grace", "60"},
                             {"push", "--size", "4K", "--json", "nowhere/result.json"});
  const auto status = process->wait(std::chrono::seconds(20));
  ASSERT_TRUE(status.has_value());
  EXPECT_NE(status, ExitStatus{});
  expect_contains(process->err(), "--json nowhere/result.json cannot be written");
}

}  // namespace
}  // namespace dtrain::app
