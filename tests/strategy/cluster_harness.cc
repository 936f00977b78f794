#include "strategy/cluster_harness.h"

#include <thread>
#include <vector>

#include "base/mutex.h"
#include "cluster/ports.h"
#include "dtrain/error.h"
#include "dtrain/parameter_server.h"
#include "support/time_scale.h"

namespace dtrain::inline v0 {
namespace {

ClusterOptions options() {
  const auto scaled = [](int ms) {
    return std::chrono::milliseconds(static_cast<int>(ms * support::time_scale()));
  };
  return {.join_timeout = scaled(20'000),
          .peer_timeout = scaled(10'000),
          .operation_timeout = scaled(20'000),
          .transport = "auto",
          .log = [](LogLevel, std::string_view) {}};
}

void take_part(const ClusterSpec& spec, const std::function<void(Cluster&)>& train) {
  Cluster cluster(spec, options());
  try {
    if (spec.self().role == Role::kPs) {
      ParameterServer server(cluster);
      server.wait();
      cluster.close();
    } else {
      train(cluster);
      cluster.close();
    }
  } catch (const Error& error) {
    cluster.abort(error);
    throw;
  }
}

}  // namespace

std::map<Task, std::string> run_cluster(int workers, int servers,
                                        const std::function<void(Cluster&)>& train) {
  std::vector<cluster::PortReservation> ports;
  ClusterSpec::Jobs jobs;
  for (int i = 0; i < workers; ++i) jobs["worker"][i] = ports.emplace_back().address();
  for (int i = 0; i < servers; ++i) jobs["ps"][i] = ports.emplace_back().address();
  const ClusterSpec spec = ClusterSpec::create(jobs, "worker", 0);

  base::Mutex mutex;
  std::map<Task, std::string> errors;
  std::vector<std::thread> threads;
  for (const Task task : spec.tasks()) {
    threads.emplace_back([&, task] {
      const std::string error = error_of([&] { take_part(spec.as(task), train); });
      if (error.empty()) return;
      base::MutexLock lock(mutex);
      errors[task] = error;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return errors;
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace dtrain::inline v0
