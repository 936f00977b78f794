#pragma once

#include <cstddef>
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

/// Throws invalid_argument where sums with so many numbers of metrics do not fit the message that
/// so many workers gather them in.
void check_fits(std::size_t metric_numbers, int workers);

}  // namespace dtrain::inline v0::strategy
