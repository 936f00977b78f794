#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/objective.h"

namespace dtrain::inline v0::strategy {

/// Sums as bytes for an all_gather (little-endian; three words and one for each number of the
/// metrics).
std::string encode(const model::Sums& sums);

/// The sums of all workers together, added in rank order; lost workers' empty parts are skipped.
/// Throws protocol for what encode() did not write, and for parts with other metrics.
model::Sums merge(const std::vector<std::string>& parts);

}  // namespace dtrain::inline v0::strategy
