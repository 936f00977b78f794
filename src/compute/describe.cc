#include "compute/describe.h"

namespace dtrain::inline v0::compute {
namespace {

template <typename T>
void check_number(const std::string& field, T value, Allowed allowed) {
  const char* complaint = complaint_about(static_cast<double>(value), allowed);
  if (!complaint) return;
  throw Error(ErrorCode::kInvalidArgument, base::str_cat(field, " is ", value),
              base::str_cat("Give a number ", complaint));
}

}  // namespace

const char* complaint_about(double value, Allowed allowed) {
  const bool finite = std::isfinite(value);
  switch (allowed) {
    case Allowed::kAny:
      return finite ? nullptr : "that is finite";
    case Allowed::kNotNegative:
      return finite && value >= 0 ? nullptr : "of at least 0";
    case Allowed::kNotPositive:
      return finite && value <= 0 ? nullptr : "of at most 0";
    case Allowed::kPositive:
      return finite && value > 0 ? nullptr : "above 0";
    case Allowed::kAtLeastOne:
      return finite && value >= 1 ? nullptr : "of at least 1";
    case Allowed::kFraction:
      return value >= 0 && value < 1 ? nullptr : "in [0, 1)";
    case Allowed::kUnitInterval:
      return value > 0 && value <= 1 ? nullptr : "in (0, 1]";
  }
  return "that dtrain knows";
}

void check_value(const std::string& field, float value, Allowed allowed) {
  check_number(field, value, allowed);
}

void check_value(const std::string& field, std::int64_t value, Allowed allowed) {
  check_number(field, value, allowed);
}

}  // namespace dtrain::inline v0::compute
