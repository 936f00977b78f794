#include "base/usable_cores.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <thread>

namespace dtrain::inline v0::base {
namespace {

namespace fs = std::filesystem;

constexpr double kNoQuota = std::numeric_limits<double>::infinity();

int affinity_cores() {
  // The kernel refuses a set smaller than its own: machines may have more than 1024 CPUs.
  for (int cpus = CPU_SETSIZE; cpus <= 1 << 20; cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(cpus);
    const std::size_t bytes = CPU_ALLOC_SIZE(cpus);
    const bool filled = sched_getaffinity(0, bytes, set) == 0;
    const int count = filled ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (filled) return count;
    if (errno != EINVAL) break;
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

// Version 2: `cpu.max` is "max 100000" or "<quota> <period>", in microseconds.
double quota_v2(const fs::path& folder) {
  std::ifstream file(folder / "cpu.max");
  double quota = 0;
  double period = 0;
  return file >> quota >> period && quota > 0 && period > 0 ? quota / period : kNoQuota;
}

// Version 1: a quota of -1 is none.
double quota_v1(const fs::path& folder) {
  std::ifstream quota_file(folder / "cpu.cfs_quota_us");
  std::ifstream period_file(folder / "cpu.cfs_period_us");
  double quota = 0;
  double period = 0;
  return quota_file >> quota && period_file >> period && quota > 0 && period > 0 ? quota / period
                                                                                 : kNoQuota;
}

// The smallest quota of the group `path` and those above it. In a container the path may be the
// host's; the folders that do not exist here are passed over, and the mount's root is the
// container's own group.
double smallest(const fs::path& mount, fs::path path, double (*quota_of)(const fs::path&)) {
  double result = quota_of(mount);
  while (path.has_relative_path()) {
    result = std::min(result, quota_of(mount / path.relative_path()));
    path = path.parent_path();
  }
  return result;
}

bool lists_cpu(const std::string& controllers) {
  std::istringstream names(controllers);
  for (std::string name; std::getline(names, name, ',');) {
    if (name == "cpu") return true;
  }
  return false;
}

}  // namespace

double cgroup_quota_cores(const fs::path& root) {
  const fs::path mount = root / "sys/fs/cgroup";
  double result = kNoQuota;
  std::ifstream file(root / "proc/self/cgroup");
  // Lines are `hierarchy:controllers:path`; version 2 is hierarchy 0 without controllers.
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path path = line.substr(second + 1);
    if (controllers.empty()) {
      result = std::min(result, smallest(mount, path, quota_v2));
    } else if (lists_cpu(controllers)) {
      result = std::min(result, smallest(mount / controllers, path, quota_v1));
      result = std::min(result, smallest(mount / "cpu", path, quota_v1));
    }
  }
  return result;
}

int usable_cores() {
  const double cores = std::min<double>(affinity_cores(), cgroup_quota_cores("/"));
  return std::max(1, static_cast<int>(cores));
}

}  // namespace dtrain::inline v0::base
