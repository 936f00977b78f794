// Tables of rows over real processes: what they train to, and what they take in memory.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/philox.h"
#include "integration/local_job.h"

#if defined(__has_feature)
#define DTRAIN_HAS_FEATURE(name) __has_feature(name)
#else
#define DTRAIN_HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || DTRAIN_HAS_FEATURE(address_sanitizer)
#define DTRAIN_MEASURES_MEMORY 0  // The sanitizer's own memory is part of a process's.
#else
#define DTRAIN_MEASURES_MEMORY 1
#endif

namespace dtrain::inline v0::integration {
namespace {

using std::chrono::seconds;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "dtrain-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

float normal(base::PhiloxStream& random) {
  float sum = -6.0F;
  for (int i = 0; i < 12; ++i) sum += random.uniform();
  return sum;
}

/// Ratings of rank 3, with noise of a standard deviation of 0.05, under ids far apart.
void write_ratings(const std::string& path) {
  constexpr int kUsers = 80, kItems = 60, kRank = 3;
  base::PhiloxStream random(7);
  std::vector<float> users(kUsers * kRank), items(kItems * kRank);
  for (float& value : users) value = 0.8F * normal(random);
  for (float& value : items) value = 0.8F * normal(random);
  std::ofstream out(path);
  out << "user,item,rating,when\n";
  for (int i = 0; i < 5000; ++i) {
    const auto user = random.below(kUsers);
    const auto item = random.below(kItems);
    float rating = 3.5F + 0.05F * normal(random);
    for (std::size_t r = 0; r < kRank; ++r) {
      rating += users[user * kRank + r] * items[item * kRank + r];
    }
    out << 1'000'000'000'007 + 7919 * user << ",-" << item + 5 << ',' << rating << ",then\n";
  }
}

struct Factorization {
  std::vector<double> losses;  ///< One per epoch.
  double test_rmse = 0;
};

Factorization factorize(const std::string& ratings, int workers, int servers) {
  LocalJob job({.workers = workers,
                .servers = servers,
                .command = {DTRAIN_EXAMPLES "/matrix_factorization", ratings, "--rank", "3",
                            "--learning_rate", "0.2"}});
  job.start_all();
  for (const auto& [task, status] : job.wait_all(seconds(100))) {
    EXPECT_EQ(status, support::ExitStatus{}) << to_string(task) << "\n" << job.describe();
  }
  Factorization result;
  std::istringstream out(job.at(worker(0)).out());
  for (std::string line; std::getline(out, line);) {
    const std::size_t loss = line.find("train loss ");
    if (loss != std::string::npos) result.losses.push_back(std::atof(line.c_str() + loss + 11));
    if (line.starts_with("test RMSE ")) result.test_rmse = std::atof(line.c_str() + 10);
  }
  return result;
}

TEST(Rows, MatrixFactorizationRecoversTheRankAndTrainsAsOneProcessDoes) {
  const TemporaryFolder folder;
  const std::string ratings = folder.file("ratings.csv");
  write_ratings(ratings);
  const Factorization local = factorize(ratings, 1, 0);
  ASSERT_EQ(local.losses.size(), 20U);
  EXPECT_GT(local.losses.front(), 0.5);
  EXPECT_GT(local.test_rmse, 0.04) << "less than the noise";
  EXPECT_LT(local.test_rmse, 0.07);
  const Factorization cluster = factorize(ratings, 2, 2);
  ASSERT_EQ(cluster.losses.size(), local.losses.size());
  for (std::size_t i = 0; i < local.losses.size(); ++i) {
    EXPECT_NEAR(cluster.losses[i], local.losses[i], 1e-5 * local.losses[i]) << "epoch " << i + 1;
  }
  EXPECT_NEAR(cluster.test_rmse, local.test_rmse, 1e-4 * local.test_rmse);
}

/// Proportional set size, in MiB.
double pss_mib(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/smaps_rollup");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("Pss:")) return std::atof(line.c_str() + 4) / 1024;
  }
  ADD_FAILURE() << "process " << pid << " shows no Pss";
  return 0;
}

TEST(Rows, AWorkerIsSmallHoweverLargeTheTable) {
  const TemporaryFolder folder;
  const std::string until = folder.file("enough");
  LocalJob job(
      {.workers = 2, .servers = 4, .command = {DTRAIN_ROWS_PROBE, "10000000", "16", until}});
  job.start_all();
  EXPECT_TRUE(job.at(worker(0)).wait_for_out("epoch 5 ", seconds(60))) << job.describe();
  for (const Task task : job.tasks()) {
    const double pss = pss_mib(job.at(task).pid());
    std::cout << to_string(task) << ": " << pss << " MiB (Pss)" << std::endl;
    EXPECT_GT(pss, 0);
    const bool limited = DTRAIN_MEASURES_MEMORY != 0 && task.role == Role::kWorker;
    EXPECT_TRUE(!limited || pss <= 100) << to_string(task);
  }
  std::ofstream(until) << "enough";
  for (const auto& [task, status] : job.wait_all(seconds(60))) {
    EXPECT_EQ(status, support::ExitStatus{}) << to_string(task) << "\n" << job.describe();
  }
  const std::string out = job.at(worker(0)).out();
  const double first = std::atof(out.c_str() + out.find("loss ") + 5);
  const double last = std::atof(out.c_str() + out.rfind("loss ") + 5);
  EXPECT_LT(last, first / 2) << out;
}

}  // namespace
}  // namespace dtrain::inline v0::integration
