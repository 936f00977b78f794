#include "device_suite.h"

namespace dtrain::inline v0::compute {
namespace {

TEST_P(DeviceSuite, RowsAreGatheredAndSummedInOrder) {
  const std::size_t count = 5000, columns = 9;
  const Elements table = random_floats(7 * columns, 1);
  std::vector<std::int64_t> rows(count);
  for (std::size_t i = 0; i < count; ++i) rows[i] = static_cast<std::int64_t>(i * i % 7);
  const OnDevice<float> on_table(*device_, table), gathered(*device_, Elements(count * columns));
  const OnDevice<std::int64_t> on_rows(*device_, rows);
  device_->gather_rows(on_table.matrix(7, columns), on_rows.span(),
                       gathered.matrix(count, columns));
  const Elements out = gathered.host();
  Elements wanted(7 * columns);  // 0 where no row goes, whatever was there
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < columns; ++c) {
      const std::size_t at = static_cast<std::size_t>(rows[i]) * columns + c;
      ASSERT_EQ(out[i * columns + c], table[at]);
      wanted[at] += out[i * columns + c];
    }
  }
  device_->sum_rows(gathered.matrix(count, columns), on_rows.span(), on_table.matrix(7, columns));
  EXPECT_EQ(on_table.host(), wanted);
}

}  // namespace
}  // namespace dtrain::inline v0::compute
