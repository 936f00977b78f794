// 64 workers and 19 servers: 83 processes on the cores that there are.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/strings.h"
#include "support/process.h"

namespace dtrain::inline v0::integration {
namespace {

constexpr int kWorkers = 64;

/// Launches the digits model for 50 synchronous steps; the bytes of its weights.
std::string train(int servers) {
  const auto path = std::filesystem::temp_directory_path() /
                    base::str_cat("dtrain-scale-", getpid(), "-", servers);
  support::Process launch(
      {.command = {DTRAIN_PROGRAM, "launch", "--memory", "--workers", base::str_cat(kWorkers),
                   "--ps", base::str_cat(servers), "--", DTRAIN_EXAMPLES "/digits", "--mode",
                   "sync", "--steps", "50", "--data", DTRAIN_DATA, "--weights", path.string()}});
  const auto status = launch.wait(std::chrono::seconds(120));
  EXPECT_EQ(status, support::ExitStatus{}) << launch.err();
  const std::string err = launch.err();
  const std::size_t memory = err.find("largest memory");
  EXPECT_NE(memory, std::string::npos) << err;
  if (memory != std::string::npos) std::cout << servers << " servers, " << err.substr(memory);
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::filesystem::remove(path);
  return bytes;
}

TEST(Scale, SixtyFourWorkersGiveTheSameBitsWithNineteenServersAsWithOne) {
  const std::string weights = train(19);
  EXPECT_EQ(weights.size(), (64 * 128 + 128 + 128 * 10 + 10) * sizeof(float));
  EXPECT_TRUE(weights == train(1)) << "other bits with one server";
}

}  // namespace
}  // namespace dtrain::inline v0::integration
