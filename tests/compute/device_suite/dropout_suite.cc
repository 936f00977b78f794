#include <cmath>

#include "base/philox.h"
#include "device_suite.h"
#include "support/seed.h"

namespace dtrain::inline v0::compute {
namespace {

TEST_P(DeviceSuite, DropoutDrawsPhiloxNumbersPerExample) {
  const std::size_t rows = 40, columns = 77;
  const std::vector<std::uint64_t> examples = [] {
    std::vector<std::uint64_t> indices;
    for (std::uint64_t i = 0; i < rows; ++i) indices.push_back(i * 0x100000003ULL);
    return indices;
  }();
  const OnDevice<float> in(*device_, Elements(rows * columns, 1.0F));
  const OnDevice<std::uint64_t> indices(*device_, examples);
  const std::uint64_t key = support::seed();
  device_->dropout({.rate = 0.3F,
                    .key = key,
                    .step = 12,
                    .example_indices = indices.span(),
                    .in = in.matrix(rows, columns),
                    .out = in.matrix(rows, columns)});
  const Elements out = in.host();
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t i = 0; i < columns; ++i) {
      const auto words = base::philox(
          {static_cast<std::uint32_t>(i / 4), 12, static_cast<std::uint32_t>(examples[row]),
           static_cast<std::uint32_t>(examples[row] >> 32)},
          {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)});
      const bool drops =
          static_cast<double>(words[i % 4]) < std::floor(static_cast<double>(0.3F) * 4294967296.0);
      ASSERT_EQ(out[row * columns + i], drops ? 0.0F : 1.0F / (1.0F - 0.3F)) << row << ", " << i;
    }
  }
}

}  // namespace
}  // namespace dtrain::inline v0::compute
