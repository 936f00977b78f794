#include "dtrain/run.h"

#include <cstdio>
#include <exception>
#include <memory>
#include <string>

#include "base/strings.h"
#include "cluster/cluster_impl.h"
#include "dtrain/error.h"
#include "dtrain/parameter_server.h"
#include "strategy/signals.h"

namespace dtrain::inline v0 {
namespace {

constexpr int kExitFailure = 1;
/// Beside the time for the good-byes: how long a program may go on after a signal without a call
/// of dtrain that would end it.
constexpr auto kSignalGrace = std::chrono::seconds(5);

void report(const std::string& who, const char* what) {
  std::fflush(stdout);
  std::fprintf(stderr, "dtrain: %s: %s\n", who.c_str(), what);
}

/// Whether trying the same job again can help: a peer was lost, not a mistake made.
int exit_code(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kAborted:
      return kExitRetry;
    default:
      return kExitFailure;
  }
}

void take_part(Cluster& cluster, const std::function<void(Cluster&)>& train) {
  switch (cluster.task().role) {
    case Role::kPs: {
      ParameterServer server(cluster);
      server.wait();
      break;
    }
    case Role::kEvaluator:
      cluster.impl().logger().info("evaluator: waits for the end of the job");
      cluster.impl().wait_finished();
      break;
    case Role::kChief:
    case Role::kWorker:
      train(cluster);
      break;
  }
  cluster.close();
}

/// Runs the job in a cluster that has been joined.
int run_joined(Cluster& cluster, const std::function<void(Cluster&)>& train) {
  const std::string who = to_string(cluster.task());
  try {
    take_part(cluster, train);
    return 0;
  } catch (const Error& error) {
    report(who, error.what());
    cluster.abort(error);
    return exit_code(error);
  } catch (const std::exception& error) {
    report(who, error.what());
    cluster.abort(Error(ErrorCode::kInternal, error.what()));
    return kExitFailure;
  }
}

/// Hands signals to a cluster for as long as it lives.
class Listening {
 public:
  Listening(strategy::SignalWatch& signals, Cluster& cluster) : signals_(signals) {
    if (cluster.spec().is_local()) return;
    signals_.set_listener([&cluster](int signal) {
      const char* name = signal == SIGINT ? "SIGINT" : "SIGTERM";
      cluster.impl().leave(
          Error(ErrorCode::kAborted, base::str_cat(to_string(cluster.task()), " received ", name)),
          false);
    });
  }
  ~Listening() { signals_.set_listener({}); }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

 private:
  strategy::SignalWatch& signals_;
};

int join_and_run(const ClusterSpec& spec, const ClusterOptions& options,
                 strategy::SignalWatch& signals, const std::function<void(Cluster&)>& train) {
  const std::string who = to_string(spec.self());
  try {
    Cluster cluster(std::make_unique<Cluster::Impl>(spec, options));
    // From the rendezvous on, so that who waits there is told too.
    const Listening listening(signals, cluster);
    cluster.impl().join();
    return run_joined(cluster, train);
  } catch (const Error& error) {
    report(who, error.what());
    const int code = exit_code(error);
    return code == kExitFailure ? kExitConfiguration : code;
  } catch (const std::exception& error) {
    report(who, error.what());
    return kExitFailure;
  }
}

}  // namespace

int run(int /*argc*/, char** /*argv*/, const std::function<void(Cluster&)>& train,
        const ClusterOptions& options) {
  ClusterSpec spec;
  try {
    spec = ClusterSpec::from_environment();
  } catch (const Error& error) {
    report("configuration", error.what());
    return kExitConfiguration;
  }
  strategy::SignalWatch signals(options.reconnect_timeout + kSignalGrace);
  const int code = join_and_run(spec, options, signals, train);
  return signals.received() != 0 ? 128 + signals.received() : code;
}

}  // namespace dtrain::inline v0
