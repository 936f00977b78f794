#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// A process of a job that `dtrain launch` has started.
struct ProcessMemory {
  std::string task;  ///< As in TF_CONFIG: "ps", "worker", ...
  std::uint64_t pss_bytes = 0;
};

/// This process and its siblings: what the kernel counts as theirs, memory that several share
/// divided among them (Pss). Throws std::runtime_error where /proc does not tell.
std::vector<ProcessMemory> job_memory();

std::string to_json(const std::vector<ProcessMemory>& processes);
