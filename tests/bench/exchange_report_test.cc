#include "bench/exchange_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace dtrain::inline v0::bench {
namespace {

Samples samples_of(std::vector<float> us) {
  Samples samples;
  samples.add(us);
  return samples;
}

ExchangeResult result_of(Workload workload) {
  ExchangeResult result{.options = {.workload = workload, .size_bytes = 1'000'000}};
  result.workers = {samples_of({100, 200, 300}), samples_of({400, 400, 400})};
  result.facts = {{.host = "one"}, {.host = "two", .network_bytes = 7}};
  result.servers = {"ps 0 at a:1"};
  result.transport = "tcp";
  result.limits = {{"memcpy", 1'000'000, samples_of({50})}, {"round trip", 0, samples_of({20})}};
  return result;
}

TEST(ExchangeReportTest, GoodputGoesByMediansAndAddsUp) {
  const auto json = nlohmann::json::parse(to_json(result_of(Workload::kPushPull)));
  EXPECT_EQ(json["workers"][0]["p50_us"], 200);
  EXPECT_DOUBLE_EQ(json["workers"][0]["push_gb_per_s"], 5);
  EXPECT_DOUBLE_EQ(json["workers"][1]["pull_gb_per_s"], 2.5);
  EXPECT_DOUBLE_EQ(json["together"]["push_gb_per_s"], 7.5);
  EXPECT_EQ(json["together"]["count"], 6);
  EXPECT_EQ(json["workers"][1]["network_bytes"], 7);
}

TEST(ExchangeReportTest, ARatioOfOneIsTheLimit) {
  const ExchangeResult result = result_of(Workload::kPush);
  EXPECT_DOUBLE_EQ(ratio_to(result, result.limits[0]), 0.25);
  EXPECT_DOUBLE_EQ(ratio_to(result, result.limits[1]), 0.1);
}

TEST(ExchangeReportTest, AOneWayWorkloadHasOneDirection) {
  const auto json = nlohmann::json::parse(to_json(result_of(Workload::kPull)));
  EXPECT_FALSE(json["together"].contains("push_gb_per_s"));
  EXPECT_FALSE(json["together"].contains("keys_per_s"));
  const auto rows = nlohmann::json::parse(to_json(result_of(Workload::kRowsPull)));
  EXPECT_DOUBLE_EQ(rows["workers"][0]["keys_per_s"], 100'000 / 200e-6);
}

TEST(ExchangeReportTest, TheTableHasEachWorkerAndTheLimits) {
  std::ostringstream out;
  print_table(result_of(Workload::kPush), out);
  for (const char* part : {"worker 0 on one", "worker 1 on two", "together", "memcpy", "2 workers",
                           "values are right", "ratio 0.25"}) {
    EXPECT_NE(out.str().find(part), std::string::npos) << part << " in\n" << out.str();
  }
}

}  // namespace
}  // namespace dtrain::inline v0::bench
