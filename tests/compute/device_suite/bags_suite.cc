#include "device_suite.h"
#include "support/seed.h"

namespace dtrain::inline v0::compute {
namespace {

TEST_P(DeviceSuite, BagsAreSumsOrMeansOfRows) {
  const OnDevice<float> table(*device_, {1, 2, 10, 20, 100, 200});
  const OnDevice<std::int64_t> ids(*device_, std::vector<std::int64_t>{2, 0, 1, 1});
  const OnDevice<float> out(*device_, Elements(4));
  GatherBagsPass pass{
      .table = table.matrix(3, 2), .ids = ids.span(), .width = 2, .out = out.matrix(2, 2)};
  device_->gather_bags(pass);
  EXPECT_EQ(out.host(), (Elements{101, 202, 20, 40}));
  pass.factor = 0.5F;
  device_->gather_bags(pass);
  EXPECT_EQ(out.host(), (Elements{50.5F, 101, 10, 20}));
}

TEST_P(DeviceSuite, ABagsGradientGoesToEachOfItsRows) {
  const OnDevice<float> table(*device_, Elements(6, 1.0F)), gradient(*device_, {2, 4, 6, 8});
  const OnDevice<std::int64_t> ids(*device_, std::vector<std::int64_t>{2, 0, 1, 1});
  device_->scatter_bags({.in = gradient.matrix(2, 2),
                         .ids = ids.span(),
                         .width = 2,
                         .factor = 0.5F,
                         .table = table.matrix(3, 2)});
  EXPECT_EQ(table.host(), (Elements{2, 3, 7, 9, 2, 3}));
}

TEST_P(DeviceSuite, BagsOfOneRowAreGatheredRows) {
  const std::uint64_t seed = support::seed();
  for (const std::size_t columns : {1UL, 16UL, 100UL}) {
    const std::size_t rows = 50, bags = 900;
    const Elements values = random_floats(rows * columns, seed);
    std::vector<std::int64_t> numbers(bags);
    for (std::size_t i = 0; i < bags; ++i) numbers[i] = static_cast<std::int64_t>(i * i % rows);
    const OnDevice<float> table(*device_, values);
    const OnDevice<float> out(*device_, Elements(bags * columns)), rows_out(*device_, out.host());
    const OnDevice<std::int64_t> ids(*device_, numbers);
    device_->gather_bags({.table = table.matrix(rows, columns),
                          .ids = ids.span(),
                          .out = out.matrix(bags, columns)});
    device_->gather_rows(table.matrix(rows, columns), ids.span(), rows_out.matrix(bags, columns));
    EXPECT_EQ(out.host(), rows_out.host());
    const OnDevice<float> sum(*device_, Elements(rows * columns)), rows_sum(*device_, sum.host());
    device_->scatter_bags(
        {.in = out.matrix(bags, columns), .ids = ids.span(), .table = sum.matrix(rows, columns)});
    device_->sum_rows(out.matrix(bags, columns), ids.span(), rows_sum.matrix(rows, columns));
    EXPECT_EQ(sum.host(), rows_sum.host());
  }
}

}  // namespace
}  // namespace dtrain::inline v0::compute
