#include "base/usable_cores.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <string>
#include <thread>

namespace dtrain::base {
namespace {

namespace fs = std::filesystem;

// A folder that stands for the root of the file system.
class UsableCoresTest : public testing::Test {
 protected:
  UsableCoresTest()
      : root_(fs::temp_directory_path() / ("dtrain-cores-" + std::to_string(getpid()))) {
    fs::create_directories(root_);
  }
  ~UsableCoresTest() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  fs::path root_;
};

TEST_F(UsableCoresTest, WithoutControlGroupsThereIsNoQuota) {
  EXPECT_TRUE(std::isinf(cgroup_quota_cores(root_)));
}

TEST_F(UsableCoresTest, ReadsTheQuotaOfVersion2) {
  write("proc/self/cgroup", "0::/pod/container\n");
  write("sys/fs/cgroup/pod/container/cpu.max", "150000 100000\n");
  EXPECT_EQ(cgroup_quota_cores(root_), 1.5);
}

TEST_F(UsableCoresTest, TheSmallestQuotaAboveCounts) {
  write("proc/self/cgroup", "0::/pod/container\n");
  write("sys/fs/cgroup/pod/container/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/pod/cpu.max", "400000 100000\n");
  write("sys/fs/cgroup/cpu.max", "200000 50000\n");
  EXPECT_EQ(cgroup_quota_cores(root_), 4.0);
}

TEST_F(UsableCoresTest, InAContainerThePathMayBeTheHosts) {
  write("proc/self/cgroup", "0::/kubepods/burstable/pod7\n");
  write("sys/fs/cgroup/cpu.max", "300000 100000\n");
  EXPECT_EQ(cgroup_quota_cores(root_), 3.0);
}

TEST_F(UsableCoresTest, ReadsTheQuotaOfVersion1) {
  write("proc/self/cgroup", "4:memory:/job\n3:cpu,cpuacct:/job\n1:cpuset:/job\n");
  write("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "250000\n");
  write("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_quota_cores(root_), 2.5);
}

TEST_F(UsableCoresTest, NonsenseIsNoQuota) {
  write("proc/self/cgroup", "garbage\n0:\n0::/a\n");
  write("sys/fs/cgroup/a/cpu.max", "0 0\n");
  write("sys/fs/cgroup/cpu.max", "many\n");
  EXPECT_TRUE(std::isinf(cgroup_quota_cores(root_)));
}

TEST_F(UsableCoresTest, AffinityLimitsTheCores) {
  const int before = usable_cores();
  EXPECT_GE(before, 1);
  EXPECT_LE(before, static_cast<int>(sysconf(_SC_NPROCESSORS_CONF)));
  int pinned = 0;
  // On a thread of its own, because the affinity is the thread's.
  std::thread([&pinned] {
    cpu_set_t set;
    sched_getaffinity(0, sizeof(set), &set);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &set)) ++cpu;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
    pinned = usable_cores();
  }).join();
  EXPECT_EQ(pinned, 1);
}

}  // namespace
}  // namespace dtrain::base
