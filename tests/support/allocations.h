#pragma once

namespace dtrain::inline v0::support {

/// How often this process has asked the C library for memory (operator new ends there too). A test
/// that uses it lists support/allocations.cc among its own sources, because the file stands in for
/// malloc and its kin.
long allocations();

/// False under sanitizers, which stand in the same place: then nothing is counted.
bool counts_allocations();

}  // namespace dtrain::inline v0::support
