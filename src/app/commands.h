#pragma once

#include <iosfwd>

#include "app/bench_options.h"
#include "app/launch_options.h"

namespace dtrain::inline v0::app {

// The subcommands. Each returns the exit code, or throws dtrain::Error.

/// Starts the cluster and waits for its end.
int run_launch(const LaunchOptions& options);

/// Exchange benchmarks in the cluster that TF_CONFIG describes; a ps serves.
int run_bench(const BenchOptions& options);

/// A parameter server for any model, as TF_CONFIG describes it.
int run_ps();

/// Prints what TF_CONFIG says of this process: role, index, rank, chief, peers.
int run_env(std::ostream& out);

/// Prints the versions of dtrain and of what it stands on.
int run_version(std::ostream& out);

}  // namespace dtrain::inline v0::app
