#pragma once

#include "measure.h"

namespace dtrain::benchmarks {

/// One function for each family of kernels, in a file of its own.
void register_optimizers(const ProgramOptions& options);
void register_half_conversions(const ProgramOptions& options);
void register_dense_layers(const ProgramOptions& options);
void register_convolutions(const ProgramOptions& options);

}  // namespace dtrain::benchmarks
