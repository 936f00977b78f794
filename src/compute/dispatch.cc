#include "compute/dispatch.h"

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::compute {
namespace {

// The built-in looks at what the operating system saves too.
#if defined(__x86_64__)
bool has_avx2() {
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0;
}
/// Products of a training step took 0.8 of AVX2's time on an Intel Xeon (Ice Lake). An AMD EPYC of
/// Zen 4 computes wide registers in two halves.
bool avx512_is_faster() { return __builtin_cpu_is("intel") != 0; }
#else
bool has_avx2() { return false; }
bool has_avx512() { return false; }
bool avx512_is_faster() { return false; }
#endif

const char* name_of(InstructionSet instruction_set) {
  return instruction_set == InstructionSet::kAvx512 ? "avx512" : "avx2";
}

}  // namespace

std::vector<InstructionSet> supported_instruction_sets() {
  std::vector<InstructionSet> sets = {InstructionSet::kBaseline};
  if (has_avx512() && !avx512_is_faster()) sets.push_back(InstructionSet::kAvx512);
  if (has_avx2()) sets.push_back(InstructionSet::kAvx2);
  if (has_avx512() && avx512_is_faster()) sets.push_back(InstructionSet::kAvx512);
  return sets;
}

const KernelTable& kernels_for(InstructionSet instruction_set) {
  if (instruction_set == InstructionSet::kBaseline) return kBaselineKernels;
#if defined(__x86_64__)
  if (instruction_set == InstructionSet::kAvx2 && has_avx2()) return kAvx2Kernels;
  if (instruction_set == InstructionSet::kAvx512 && has_avx512()) return kAvx512Kernels;
#endif
  throw Error(ErrorCode::kInvalidArgument,
              base::str_cat("the instruction set ", name_of(instruction_set),
                            " was asked for, but this machine does not have it"),
              "Leave CpuOptions::instruction_set empty");
}

const KernelTable& best_kernels() {
  static const KernelTable& best = kernels_for(supported_instruction_sets().back());
  return best;
}

}  // namespace dtrain::inline v0::compute
