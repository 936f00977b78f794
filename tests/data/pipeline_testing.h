#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "data/data_testing.h"
#include "dtrain/pipeline.h"

namespace dtrain::inline v0 {

using Numbers = std::vector<std::int64_t>;

/// Example i has the number i, a name, a class, and the weight i.
inline Examples numbered(std::int64_t begin, std::int64_t end) {
  Examples examples{.features = {{"n", Numbers{}}, {"name", Strings{}}},
                    .targets = {{"class", std::vector<std::int32_t>{}, {}}}};
  for (std::int64_t i = begin; i < end; ++i) {
    std::get<Numbers>(examples.features[0].values).push_back(i);
    std::get<Strings>(examples.features[1].values).add("the name of " + std::to_string(i));
    std::get<std::vector<std::int32_t>>(examples.targets[0].values)
        .push_back(static_cast<std::int32_t>(i % 10));
    examples.weights.push_back(static_cast<float>(i));
  }
  return examples;
}

/// The numbers of all examples, whose other columns must fit.
inline Numbers numbers(ExampleStream stream, std::vector<std::size_t>* sizes = nullptr) {
  Numbers all;
  while (const Examples* piece = stream.next()) {
    const Numbers& some = data::values<std::int64_t>(piece->features.at(0));
    const std::vector<std::string> names = data::texts(piece->features.at(1));
    const auto& classes = data::values<std::int32_t>(piece->targets.at(0));
    EXPECT_EQ(piece->size(), some.size());
    EXPECT_EQ(names.size(), some.size());
    EXPECT_EQ(piece->weights.size(), some.size());
    for (std::size_t i = 0; i < some.size(); ++i) {
      EXPECT_EQ(names[i], "the name of " + std::to_string(some[i]));
      EXPECT_EQ(classes[i], some[i] % 10);
      EXPECT_EQ(piece->weights[i], static_cast<float>(some[i]));
    }
    all.insert(all.end(), some.begin(), some.end());
    if (sizes != nullptr) sizes->push_back(some.size());
  }
  EXPECT_EQ(stream.next(), nullptr);
  return all;
}

inline Numbers range(std::int64_t begin, std::int64_t end, std::int64_t step = 1) {
  Numbers all;
  for (std::int64_t i = begin; i < end; i += step) all.push_back(i);
  return all;
}

}  // namespace dtrain::inline v0
