#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace dtrain::benchmarks {

/// A training that is run as a user's would be: training_task, under `dtrain launch` or alone.
struct TrainingJob {
  std::string model = "mlp";   ///< As training_task takes it, and the next.
  std::string mode = "local";  ///< Local: `workers` processes at once that know nothing of others.
  int workers = 1;
  int servers = 0;
  int steps = 100;
  int warmup = 20;
  std::size_t epoch_steps = 64;
  bool memory = false;
  int threads = 1;  ///< That compute, in each process.
};

struct ProcessMemory {
  std::string task;
  double pss_bytes = 0;
};

/// What one worker has measured.
struct TrainingReport {
  double examples_per_s = 0;
  double p50_us = 0;           ///< Of a step.
  double first_loss = 0;       ///< Of the first step.
  double last_loss = 0;        ///< Of the last epoch.
  std::uint64_t checksum = 0;  ///< Of the weights.
  /// From when the job was started (dtrain launch, or the process) until the first step was done.
  double first_step_s = 0;
  std::vector<ProcessMemory> memory;  ///< Rank 0's, if it was asked for.
};

/// Runs it to its end. Throws when a process fails or says nothing, when the loss does not fall,
/// and when synchronous workers end with different weights.
std::vector<TrainingReport> run(const TrainingJob& job);

/// Of all workers together.
double examples_per_s(const std::vector<TrainingReport>& reports);

}  // namespace dtrain::benchmarks
