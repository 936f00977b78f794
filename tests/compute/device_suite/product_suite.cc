#include <cmath>

#include "device_suite.h"
#include "support/seed.h"

namespace dtrain::inline v0::compute {
namespace {

struct ProductCase {
  std::size_t rows, columns, depth;
  bool transpose_a, transpose_b, with_bias;
  Activation activation;
};

Elements product_reference(const ProductCase& c, const Elements& a, const Elements& b,
                           const Elements& bias) {
  Elements out(c.rows * c.columns);
  for (std::size_t i = 0; i < c.rows; ++i) {
    for (std::size_t j = 0; j < c.columns; ++j) {
      double sum = c.with_bias ? static_cast<double>(bias[j]) : 0.0;
      for (std::size_t k = 0; k < c.depth; ++k) {
        const float left = c.transpose_a ? a[k * c.rows + i] : a[i * c.depth + k];
        const float right = c.transpose_b ? b[j * c.depth + k] : b[k * c.columns + j];
        sum += static_cast<double>(left) * static_cast<double>(right);
      }
      out[i * c.columns + j] = static_cast<float>(activation_reference(c.activation, sum));
    }
  }
  return out;
}

Elements run_product(Device& device, const ProductCase& c, const Elements& a, const Elements& b,
                     const Elements& bias) {
  const OnDevice<float> on_a(device, a), on_b(device, b), on_bias(device, bias);
  const OnDevice<float> out(device, Elements(c.rows * c.columns, 7.0F));
  device.product(
      {.a = c.transpose_a ? on_a.matrix(c.depth, c.rows) : on_a.matrix(c.rows, c.depth),
       .b = c.transpose_b ? on_b.matrix(c.columns, c.depth) : on_b.matrix(c.depth, c.columns),
       .transpose_a = c.transpose_a,
       .transpose_b = c.transpose_b,
       .bias = c.with_bias ? std::span<const float>(on_bias.span()) : std::span<const float>(),
       .activation = c.activation,
       .out = out.matrix(c.rows, c.columns)});
  return out.host();
}

TEST_P(DeviceSuite, ProductsAgreeWithSumsInDouble) {
  const std::uint64_t seed = support::seed();
  const ProductCase cases[] = {
      {1, 1, 1, false, false, false, Activation::kLinear},
      {1, 10, 128, false, false, true, Activation::kLinear},
      {3, 5, 7, true, true, true, Activation::kTanh},
      {64, 128, 64, false, false, true, Activation::kRelu},
      {64, 10, 128, false, false, true, Activation::kLinear},
      {65, 33, 300, true, false, false, Activation::kLinear},
      {70, 701, 513, false, true, true, Activation::kSigmoid},
      {601, 97, 259, false, false, true, Activation::kElu},
      {200, 97, 31, true, true, false, Activation::kLinear},
      {301, 1, 237, false, false, true, Activation::kRelu},
      {90, 1, 700, false, true, false, Activation::kLinear},
      {333, 1, 70, true, false, true, Activation::kTanh},
      {20, 1, 500, true, true, false, Activation::kLinear},
      {130, 3, 400, false, false, true, Activation::kLinear},
      {2100, 1, 260, false, false, true, Activation::kLinear},
      {2100, 1, 260, true, false, false, Activation::kLinear},
      {41, 70, 1, false, true, true, Activation::kRelu},
      {1100, 490, 1, true, false, false, Activation::kLinear},
  };
  for (const ProductCase& c : cases) {
    SCOPED_TRACE(testing::Message() << c.rows << " x " << c.columns << " x " << c.depth);
    const Elements a = random_floats(c.rows * c.depth, seed);
    const Elements b = random_floats(c.depth * c.columns, seed + 1);
    const Elements bias = random_floats(c.columns, seed + 2);
    const Elements got = run_product(*device_, c, a, b, bias);
    const Elements wanted = product_reference(c, a, b, bias);
    const double tolerance = 1e-6 * std::sqrt(static_cast<double>(c.depth)) + 1e-6;
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], wanted[i], tolerance * std::max(1.0F, std::abs(wanted[i]))) << i;
    }
    EXPECT_EQ(got, run_product(*device_, c, a, b, bias)) << "a second run has other bits";
  }
}

TEST_P(DeviceSuite, ColumnSumsAddEveryRow) {
  const std::uint64_t seed = support::seed();
  for (const std::size_t columns : {1UL, 10UL, 1000UL}) {
    const std::size_t rows = 70;
    const Elements in = random_floats(rows * columns, seed);
    const OnDevice<float> x(*device_, in), out(*device_, Elements(columns, 3.0F));
    device_->column_sums(x.matrix(rows, columns), out.span());
    const Elements sums = out.host();
    for (std::size_t column = 0; column < columns; ++column) {
      double sum = 0;
      for (std::size_t row = 0; row < rows; ++row)
        sum += static_cast<double>(in[row * columns + column]);
      ASSERT_NEAR(sums[column], sum, 1e-5);
    }
  }
}

}  // namespace
}  // namespace dtrain::inline v0::compute
