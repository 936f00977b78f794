#include "strategy/monitor.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "base/identifier.h"
#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::strategy {

Monitor::Monitor(std::string callback, std::string name, MonitorMode mode, double min_delta)
    : callback_(std::move(callback)),
      name_(std::move(name)),
      mode_(mode),
      min_delta_(std::abs(min_delta)) {}

void Monitor::begin(const FitSession& session) {
  const std::vector<std::string> names = session.log_names();
  if (std::ranges::count(names, name_) == 0) {
    const std::vector<std::string_view> views(names.begin(), names.end());
    const bool validation =
        name_.starts_with("val_") && std::ranges::count(names, name_.substr(4)) > 0;
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat(callback_, " monitors \"", name_, "\", which epochs do not have"),
                validation ? "Give fit() data for validation, or monitor " + name_.substr(4)
                           : base::suggestion(name_, views));
  }
  const std::optional<bool> known = session.rises(name_);
  if (mode_ == MonitorMode::kAuto && !known) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat(callback_, " cannot tell whether \"", name_, "\" is to rise or fall"),
                "Give MonitorMode::kMax or kMin");
  }
  rises_ = mode_ == MonitorMode::kAuto ? *known : mode_ == MonitorMode::kMax;
}

std::optional<double> Monitor::value(const Logs& logs) const {
  const auto found = logs.find(name_);
  return found == logs.end() ? std::nullopt : std::optional(found->second);
}

bool Monitor::better(double value, std::optional<double> than) const {
  if (!than) return true;
  return rises_ ? value - min_delta_ > *than : value + min_delta_ < *than;
}

}  // namespace dtrain::inline v0::strategy
