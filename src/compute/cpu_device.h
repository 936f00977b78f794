#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "compute/device.h"

namespace dtrain::inline v0::compute {

enum class InstructionSet { kBaseline, kAvx2, kAvx512 };

/// What this build has and this machine can run, the fastest last.
std::vector<InstructionSet> supported_instruction_sets();

struct CpuOptions {
  int threads = 1;  ///< At least 1, the calling one included.
  /// Empty: the fastest. Another one is for tests and comparisons.
  std::optional<InstructionSet> instruction_set = {};
};

/// The CPU as a device. With more than one thread, bits may differ from those with one, but not
/// from run to run. Throws invalid_argument for options that this machine cannot meet.
std::unique_ptr<Device> cpu_device(const CpuOptions& options = {});

}  // namespace dtrain::inline v0::compute
