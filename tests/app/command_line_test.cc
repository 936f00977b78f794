// The command's own behaviour, through the real program.
#include <gtest/gtest.h>

#include "dtrain/version.h"
#include "support/process.h"

namespace dtrain {
namespace {

using support::Process;
using support::ProcessOptions;

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

Outcome dtrain_command(const std::vector<std::string>& arguments,
                       const std::map<std::string, std::optional<std::string>>& environment = {}) {
  ProcessOptions options{.command = {DTRAIN_PROGRAM}, .environment = environment};
  options.command.insert(options.command.end(), arguments.begin(), arguments.end());
  options.environment.insert({{"TF_CONFIG", std::nullopt}, {"TS_CONFIG", std::nullopt}});
  Process process(options);
  const auto status = process.wait();
  EXPECT_TRUE(status && status->signal == 0);
  return {status ? status->code : -1, process.out(), process.err()};
}

void expect_usage_error(const std::vector<std::string>& arguments, const std::string& message) {
  const Outcome outcome = dtrain_command(arguments);
  EXPECT_EQ(outcome.code, 2) << outcome.err;
  EXPECT_NE(outcome.err.find(message), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

TEST(CommandLineTest, HelpAndVersionEndWell) {
  EXPECT_NE(dtrain_command({"--help"}).out.find("launch"), std::string::npos);
  EXPECT_NE(dtrain_command({"launch", "--help"}).out.find("--generic-ps"), std::string::npos);
  EXPECT_EQ(dtrain_command({"version"}).out.find("dtrain " DTRAIN_VERSION), 0U);
  EXPECT_EQ(dtrain_command({"--version"}).out, "dtrain " DTRAIN_VERSION "\n");
}

TEST(CommandLineTest, BadUsageIsToldOnStandardErrorWithCode2) {
  expect_usage_error({}, "subcommand is required");
  expect_usage_error({"lunch"},
                     "there is no command \"lunch\"; there are launch, bench, ps, env and version");
  expect_usage_error({"launch"}, "no program to start");
  expect_usage_error({"launch", "--workers", "2", "--"}, "no program to start");
  expect_usage_error({"launch", "--workers", "2", "./train"}, "put -- before the program");
  expect_usage_error({"launch", "--wrokers", "2", "--", "true"}, "there is no option --wrokers");
  expect_usage_error({"launch", "--workers", "two", "--", "true"}, "--workers");
  expect_usage_error({"launch", "--workers", "0", "--", "true"}, "--workers is 0");
  expect_usage_error({"launch", "--grace", "-1", "--", "true"}, "--grace");
  expect_usage_error({"launch", "--threads-per-process", "0", "--", "true"}, "threads-per-process");
  expect_usage_error({"env", "--", "true"}, "only dtrain launch takes a program");
}

TEST(CommandLineTest, EnvTellsWhatTfConfigSays) {
  const Outcome outcome = dtrain_command(
      {"env"},
      {{"TF_CONFIG",
        R"({"cluster": {"worker": ["a:1", "b:2"], "ps": ["c:3"]}, "task": {"type": "worker", "index": 1}})"},
       {"DTRAIN_NUM_THREADS", "3"},
       {"OMP_NUM_THREADS", std::nullopt}});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "from:     TF_CONFIG\n"
            "role:     worker\n"
            "index:    1\n"
            "rank:     1 of 2\n"
            "chief:    worker 0\n"
            "cluster:  2 training, 1 ps\n"
            "threads:  DTRAIN_NUM_THREADS=3\n"
            "  worker 0 at a:1, chief\n"
            "  worker 1 at b:2, this process\n"
            "  ps 0 at c:3\n");
}

TEST(CommandLineTest, EnvTellsALocalProcess) {
  const Outcome outcome = dtrain_command({"env"});
  EXPECT_EQ(outcome.out.find("from:     nothing (TF_CONFIG is not set)\nrole:     worker\n"), 0U);
  EXPECT_NE(outcome.out.find("cluster:  local: this process alone\n"), std::string::npos);
}

TEST(CommandLineTest, EnvPointsOutThatTheChiefIsOutOfSight) {
  const Outcome outcome = dtrain_command(
      {"env"},
      {{"TF_CONFIG",
        R"({"sparseCluster": {"worker": {"1": "a:1"}, "ps": ["c:3"]}, "task": {"type": "worker", "index": 1}})"}});
  EXPECT_NE(outcome.out.find("the chief's address is not in this description"), std::string::npos);
}

TEST(CommandLineTest, EnvFailsOnAWrongTfConfig) {
  const Outcome outcome = dtrain_command({"env"}, {{"TF_CONFIG", "{"}});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("dtrain: [INVALID_ARGUMENT] TF_CONFIG is not valid JSON: line 1"),
            std::string::npos);
  EXPECT_EQ(dtrain_command({"env"}, {{"TS_CONFIG", "{}"}}).code, 2);
}

TEST(CommandLineTest, PsRefusesAnotherRole) {
  const Outcome outcome = dtrain_command({"ps"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("TF_CONFIG says that this process is worker 0"), std::string::npos);
}

}  // namespace
}  // namespace dtrain
