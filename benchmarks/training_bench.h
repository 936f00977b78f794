#pragma once

#include "program.h"

namespace dtrain::benchmarks {

void register_training(const ProgramOptions& options);
void register_startup(const ProgramOptions& options);

}  // namespace dtrain::benchmarks
