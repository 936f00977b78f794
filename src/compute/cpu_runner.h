#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "compute/kernels.h"
#include "compute/thread_pool.h"
#include "tensor/arena.h"

namespace dtrain::inline v0::compute {

struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t count() const { return end - begin; }
};

/// Part `part` of [0, count) in `parts` that are about equal and cut at multiples of `multiple`.
inline Range part_of(std::size_t count, std::size_t multiple, int part, int parts) {
  const std::size_t units = (count + multiple - 1) / multiple;
  const auto at = [&](int index) {
    return std::min(count, units * static_cast<std::size_t>(index) /
                               static_cast<std::size_t>(parts) * multiple);
  };
  return {at(part), at(part + 1)};
}

/// The CPU device's kernels, threads and working memory. Confined to the device's calling thread;
/// within a job, thread t may use scratch(t).
class CpuRunner {
 public:
  CpuRunner(const KernelTable& kernel_table, int threads)
      : kernels(kernel_table), pool_(threads), scratch_(static_cast<std::size_t>(threads)) {
    for (int thread = 0; thread < threads; ++thread) {
      matmul_workspaces_.emplace_back(kernels.matmul_workspace_count);
    }
  }

  const KernelTable& kernels;

  int threads() const { return pool_.size(); }

  /// Calls work(range, thread) with ranges that together are [0, count), cut at multiples of
  /// `multiple`. What handles few `elements` is not worth waking a thread and stays whole.
  template <typename Work>
  void split(std::size_t elements, std::size_t count, std::size_t multiple, const Work& work) {
    if (pool_.size() == 1 || elements < kSplitElementsMin) {
      work(Range{0, count}, 0);
      return;
    }
    pool_.run([&](int part) {
      const Range range = part_of(count, multiple, part, pool_.size());
      if (range.count() > 0) work(range, part);
    });
  }
  /// Elementwise work(range) on `count` elements.
  template <typename Work>
  void split_elements(std::size_t count, const Work& work) {
    split(count, count, kSplitMultiple, [&](Range range, int /*thread*/) { work(range); });
  }
  template <typename Job>
  void run(const Job& job) {
    pool_.run(job);
  }

  float* matmul_workspace(int thread) {
    return matmul_workspaces_[static_cast<std::size_t>(thread)].span().data();
  }
  /// Memory of a thread, 64-byte aligned, that grows when asked and never shrinks. What was there
  /// is lost when it grows, and with the next call that asks for it.
  float* scratch(int thread, std::size_t count) {
    return grown(scratch_[static_cast<std::size_t>(thread)], count);
  }
  /// The same, for all threads: asked for outside a job.
  float* shared_scratch(std::size_t count) { return grown(shared_scratch_, count); }
  /// As shared_scratch(), for doubles.
  double* shared_sums(std::size_t count) {
    if (count > shared_sums_.size()) shared_sums_.resize(count);
    return shared_sums_.data();
  }

  /// Boundaries between threads lie at whole cache lines and whole blocks of the product kernel.
  static constexpr std::size_t kSplitMultiple = 48;

 private:
  // Waking a thread costs some microseconds.
  static constexpr std::size_t kSplitElementsMin = std::size_t{1} << 15;

  static float* grown(tensor::Arena& arena, std::size_t count) {
    if (count > arena.count()) arena = tensor::Arena(count);
    return arena.span().data();
  }

  ThreadPool pool_;
  std::vector<tensor::Arena> matmul_workspaces_;  ///< One per thread,
  std::vector<tensor::Arena> scratch_;            ///< as this.
  tensor::Arena shared_scratch_;
  std::vector<double> shared_sums_;
};

}  // namespace dtrain::inline v0::compute
