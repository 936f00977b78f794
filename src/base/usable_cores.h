#pragma once

#include <filesystem>

namespace dtrain::inline v0::base {

/// Cores that this process may keep busy: its CPU affinity, further limited by the CPU quotas of
/// its control groups (version 1 and 2) and of those above, rounded down. At least 1.
int usable_cores();

/// The smallest quota in cores, as the files below `root` say (`root`/proc/self/cgroup and
/// `root`/sys/fs/cgroup); infinity when there is none.
double cgroup_quota_cores(const std::filesystem::path& root);

}  // namespace dtrain::inline v0::base
