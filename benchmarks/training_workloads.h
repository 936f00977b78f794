#pragma once

#include <dtrain/dtrain.h>

#include <cstddef>
#include <functional>
#include <string>

/// Something that training_task trains, with data for it. comparison/peers/workloads.py has the
/// same for the peers, and training_bench.cc says how long each is measured.
struct Workload {
  std::string name;
  std::size_t batch = 0;  ///< Of one worker.
  std::function<dtrain::Functional()> model;
  dtrain::Loss loss;
  dtrain::Optimizer optimizer;
  std::function<dtrain::Dataset(std::size_t examples)> data;
  /// Variables begin as the peers' do, and not as the library has them.
  bool as_peers = true;
};

/// Throws dtrain::Error that lists the names there are.
Workload workload(const std::string& name);
