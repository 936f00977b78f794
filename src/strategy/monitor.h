#pragma once

#include <optional>
#include <string>

#include "dtrain/callbacks.h"

namespace dtrain::inline v0::strategy {

/// Watches one value of the logs and tells better from worse, as Keras's MonitorCallback. Confined
/// to one thread.
class Monitor {
 public:
  /// `callback`: for messages.
  Monitor(std::string callback, std::string name, MonitorMode mode, double min_delta);

  /// Throws invalid_argument for a value that logs do not have, and where it cannot be told whether
  /// it is to rise.
  void begin(const FitSession& session);
  std::optional<double> value(const Logs& logs) const;
  /// By more than min_delta; better than nothing is everything.
  bool better(double value, std::optional<double> than) const;

 private:
  const std::string callback_;
  const std::string name_;
  const MonitorMode mode_;
  const double min_delta_;
  bool rises_ = false;
};

}  // namespace dtrain::inline v0::strategy
