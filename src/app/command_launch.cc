#include <unistd.h>

#include <climits>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/keeper.h"
#include "app/launch_plan.h"
#include "app/launcher.h"
#include "app/program.h"
#include "base/strings.h"
#include "base/usable_cores.h"
#include "cluster/ports.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::app {
namespace {

// What shells return when they cannot find or execute a program.
constexpr int kExitNotFound = 127;
constexpr int kExitNotExecutable = 126;

std::string own_program() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  if (length <= 0) return "dtrain";
  return std::string(path, static_cast<std::size_t>(length));
}

std::vector<std::string> set_variables() {
  std::vector<std::string> set;
  for (const char* name : {"DTRAIN_NUM_THREADS", "OMP_NUM_THREADS"}) {
    if (std::getenv(name) != nullptr) set.emplace_back(name);
  }
  return set;
}

// The cluster on ports that `reservations` hold.
ClusterSpec reserved_cluster(const std::vector<Task>& tasks,
                             std::vector<cluster::PortReservation>& reservations) {
  ClusterSpec::Jobs jobs;
  for (const Task task : tasks) {
    jobs[std::string(role_name(task.role))][task.index] = reservations.emplace_back().address();
  }
  return ClusterSpec::create(jobs, role_name(tasks.front().role), tasks.front().index);
}

int report(const Error& error) {
  std::cerr << "dtrain launch: " << error.what() << std::endl;
  if (error.code() == ErrorCode::kNotFound) return kExitNotFound;
  return error.code() == ErrorCode::kFailedPrecondition ? kExitNotExecutable : 1;
}

}  // namespace

int run_launch(const LaunchOptions& options) {
  const std::vector<Task> tasks = launch_tasks(options);
  std::vector<cluster::PortReservation> reservations;  // held until every process has ended
  const ClusterSpec spec = reserved_cluster(tasks, reservations);
  const auto plan =
      plan_launch(options, spec, base::usable_cores(), set_variables(), own_program());
  const auto grace =
      std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(options.grace_s));
  try {
    find_program(options.command.front());
  } catch (const Error& error) {
    return report(error);
  }
  return run_kept([&](int liveness_fd, const sigset_t& mask) {
    try {
      return Launcher(grace, options.memory, liveness_fd, mask).run(plan, spec.chief());
    } catch (const Error& error) {
      return report(error);
    }
  });
}

}  // namespace dtrain::inline v0::app
