#pragma once

#include <vector>

#include "bench/child.h"

namespace dtrain::bench {

/// `echo`: sends back what it is sent. `tell`: sends its arguments, the variable BENCH_TEST and
/// what its first descriptor has to read. `parent`: starts an `echo`, says `up`, and waits.
/// `throw`.
std::vector<ChildRole> test_roles();

}  // namespace dtrain::bench
