#pragma once

#include <cstddef>
#include <string>

#include "base/clock.h"
#include "dtrain/model.h"
#include "model/objectives.h"

namespace dtrain::inline v0::strategy {

/// Shows how training goes on standard output: a bar that redraws itself on a terminal, or a line
/// per epoch. Confined to one thread.
class Progress {
 public:
  /// `steps_per_epoch`: 0 where only their end will tell.
  Progress(Verbosity verbosity, int epochs, std::size_t steps_per_epoch);

  /// `examples_before`: those of the epoch that a resumed training has done before.
  void start_epoch(int epoch, std::uint64_t examples_before = 0);
  /// After so many steps of the epoch, with this worker's sums of the epoch so far. Redraws at most
  /// ten times a second.
  void step(std::size_t steps_done, const model::Sums& sums, const model::Objectives& objectives);
  /// With the merged values.
  void end_epoch(const Logs& logs);

 private:
  void show_bar(std::size_t steps_done, const Logs& logs);
  /// What of the line is about steps and time.
  std::string bar(std::size_t steps_done, double elapsed) const;

  Verbosity verbosity_;
  const int epochs_;
  const std::size_t steps_per_epoch_;
  const base::SteadyClock clock_;
  int epoch_ = 0;
  std::uint64_t examples_ = 0;  ///< Since start_epoch().
  std::uint64_t examples_before_ = 0;
  base::TimePoint epoch_start_{};
  base::TimePoint redraw_at_{};
  std::size_t drawn_width_ = 0;
};

/// `12 s`, `3 min 20 s`, `2 h 05 min`.
std::string format_duration(double seconds);

/// `loss: 0.1234 - accuracy: 0.9556`: training values first, the loss leading.
std::string format_logs(const Logs& logs);

}  // namespace dtrain::inline v0::strategy
