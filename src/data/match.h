#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "dtrain/examples.h"

namespace dtrain::inline v0::data {

/// A model's inputs and outputs by name, in its order. An empty list takes what there is.
struct ModelNames {
  std::vector<std::string> inputs = {};
  std::vector<std::string> outputs = {};
};

/// Which of `features` is for each of the model's `inputs`: the one of its name, and one for one
/// whatever they are called. Others are left out. Throws invalid_argument that lists both.
std::vector<std::size_t> match_inputs(const std::vector<std::string>& inputs,
                                      const std::vector<FeatureInfo>& features);
/// The same for outputs and targets; none when there are no targets.
std::vector<std::size_t> match_outputs(const std::vector<std::string>& outputs,
                                       const std::vector<FeatureInfo>& targets);

}  // namespace dtrain::inline v0::data
