// Layers and activations against what Keras makes of the same inputs, forward and backward:
// keras_golden.py writes the numbers.
#include <cmath>

#include "device_suite.h"

namespace dtrain::inline v0::compute {
namespace {

struct KerasActivation {
  Activation activation;
  std::optional<float> constant;
  Elements out, out_gradient, in_gradient;
};

struct KerasConvolution {
  ConvolutionShape shape;
  Elements in, kernel, out, out_gradient, in_gradient, kernel_gradient;
};

struct KerasPooling {
  PoolingFunction function;
  PoolingTies ties;
  PoolingShape shape;
  Elements in, out, out_gradient, in_gradient;
};

struct KerasNormalization {
  Elements in, gamma, beta, out, out_gradient, in_gradient, gamma_gradient, beta_gradient;
  Elements moving_mean, moving_variance;  ///< After one step from 0 and 1 with momentum 0.9.
};

struct KerasDot {
  DotShape shape;
  bool normalize;
  Elements left, right, out, out_gradient, left_gradient, right_gradient;
};

#include "keras_golden.inc"

void expect_near(const Elements& ours, const Elements& keras, const std::string& what) {
  ASSERT_EQ(ours.size(), keras.size()) << what;
  for (std::size_t i = 0; i < keras.size(); ++i) {
    EXPECT_NEAR(ours[i], keras[i], 1e-5 * std::max(1.0F, std::abs(keras[i])))
        << what << ", element " << i;
  }
}

TEST_P(DeviceSuite, KerasActivationsGiveItsValuesAndGradients) {
  const std::size_t columns = kAt.size();
  for (const KerasActivation& keras : kActivations) {
    const std::string what(activation_name(keras.activation));
    const OnDevice<float> in(*device_, kAt), out(*device_, kAt);
    const OnDevice<float> gradient(*device_, keras.out_gradient);
    device_->activate({.activation = keras.activation,
                       .constant = keras.constant,
                       .in = in.matrix(1, columns),
                       .out = out.matrix(1, columns)});
    expect_near(out.host(), keras.out, what);
    device_->activate_backward({.activation = keras.activation,
                                .constant = keras.constant,
                                .in = in.matrix(1, columns),
                                .out = out.matrix(1, columns),
                                .out_gradient = gradient.matrix(1, columns),
                                .in_gradient = gradient.matrix(1, columns)});
    expect_near(gradient.host(), keras.in_gradient, what + ", gradient");
  }
}

TEST_P(DeviceSuite, KerasConvolutionsGiveItsValuesAndGradients) {
  for (const KerasConvolution& keras : kConvolutions) {
    const std::string what = "convolution " + std::to_string(&keras - kConvolutions);
    const OnDevice<float> in(*device_, keras.in), kernel(*device_, keras.kernel);
    const OnDevice<float> out(*device_, keras.out), gradient(*device_, keras.out_gradient);
    const OnDevice<float> in_gradient(*device_, keras.in), kernel_gradient(*device_, keras.kernel);
    ASSERT_EQ(keras.shape.out_count(), keras.out.size());
    device_->convolution(
        {.shape = keras.shape, .in = in.span(), .kernel = kernel.span(), .out = out.span()});
    expect_near(out.host(), keras.out, what);
    device_->convolution_backward({.shape = keras.shape,
                                   .in = in.span(),
                                   .kernel = kernel.span(),
                                   .out_gradient = gradient.span(),
                                   .kernel_gradient = kernel_gradient.span(),
                                   .in_gradient = in_gradient.span()});
    expect_near(kernel_gradient.host(), keras.kernel_gradient, what + ", kernel's gradient");
    expect_near(in_gradient.host(), keras.in_gradient, what + ", input's gradient");
  }
}

TEST_P(DeviceSuite, KerasPoolingGivesItsValuesAndGradients) {
  for (const KerasPooling& keras : kPoolings) {
    const std::string what = "pooling " + std::to_string(&keras - kPoolings);
    const OnDevice<float> in(*device_, keras.in), out(*device_, keras.out);
    const OnDevice<float> gradient(*device_, keras.out_gradient), in_gradient(*device_, keras.in);
    ASSERT_EQ(keras.shape.out_count(), keras.out.size());
    device_->pooling(
        {.function = keras.function, .shape = keras.shape, .in = in.span(), .out = out.span()});
    expect_near(out.host(), keras.out, what);
    device_->pooling_backward({.function = keras.function,
                               .ties = keras.ties,
                               .shape = keras.shape,
                               .in = in.span(),
                               .out = out.span(),
                               .out_gradient = gradient.span(),
                               .in_gradient = in_gradient.span()});
    expect_near(in_gradient.host(), keras.in_gradient, what + ", gradient");
  }
}

TEST_P(DeviceSuite, KerasBatchNormalizationGivesItsValuesGradientsAndStatistics) {
  const KerasNormalization& keras = kBatchNormalization;
  const std::size_t columns = keras.gamma.size(), rows = keras.in.size() / columns;
  const OnDevice<float> in(*device_, keras.in), gamma(*device_, keras.gamma);
  const OnDevice<float> beta(*device_, keras.beta), out(*device_, keras.out);
  const OnDevice<float> mean(*device_, keras.beta), variance(*device_, keras.beta);
  const OnDevice<float> gradient(*device_, keras.out_gradient);
  const OnDevice<float> gamma_gradient(*device_, keras.gamma), beta_gradient(*device_, keras.beta);
  device_->batch_normalization({.in = in.matrix(rows, columns),
                                .gamma = gamma.span(),
                                .beta = beta.span(),
                                .mean = mean.span(),
                                .variance = variance.span(),
                                .out = out.matrix(rows, columns)});
  expect_near(out.host(), keras.out, "out");
  const OnDevice<float> moving_mean(*device_, Elements(columns, 0.0F));
  const OnDevice<float> moving_variance(*device_, Elements(columns, 1.0F));
  device_->moving_average(moving_mean.span(), mean.span(), 0.9F);
  device_->moving_average(moving_variance.span(), variance.span(), 0.9F);
  expect_near(moving_mean.host(), keras.moving_mean, "moving mean");
  expect_near(moving_variance.host(), keras.moving_variance, "moving variance");
  device_->batch_normalization_backward({.in = in.matrix(rows, columns),
                                         .gamma = gamma.span(),
                                         .mean = mean.span(),
                                         .variance = variance.span(),
                                         .out_gradient = gradient.matrix(rows, columns),
                                         .gamma_gradient = gamma_gradient.span(),
                                         .beta_gradient = beta_gradient.span(),
                                         .in_gradient = gradient.matrix(rows, columns)});
  expect_near(gradient.host(), keras.in_gradient, "input's gradient");
  expect_near(gamma_gradient.host(), keras.gamma_gradient, "gamma's gradient");
  expect_near(beta_gradient.host(), keras.beta_gradient, "beta's gradient");
}

TEST_P(DeviceSuite, KerasLayerNormalizationGivesItsValuesAndGradients) {
  const KerasNormalization& keras = kLayerNormalization;
  const std::size_t columns = keras.gamma.size(), rows = keras.in.size() / columns;
  const OnDevice<float> in(*device_, keras.in), gamma(*device_, keras.gamma);
  const OnDevice<float> beta(*device_, keras.beta), out(*device_, keras.out);
  const OnDevice<float> mean(*device_, Elements(rows)), inverse(*device_, Elements(rows));
  const OnDevice<float> gradient(*device_, keras.out_gradient);
  const OnDevice<float> gamma_gradient(*device_, keras.gamma), beta_gradient(*device_, keras.beta);
  device_->layer_normalization({.in = in.matrix(rows, columns),
                                .gamma = gamma.span(),
                                .beta = beta.span(),
                                .mean = mean.span(),
                                .inverse_deviation = inverse.span(),
                                .out = out.matrix(rows, columns)});
  expect_near(out.host(), keras.out, "out");
  device_->layer_normalization_backward({.in = in.matrix(rows, columns),
                                         .gamma = gamma.span(),
                                         .mean = mean.span(),
                                         .inverse_deviation = inverse.span(),
                                         .out_gradient = gradient.matrix(rows, columns),
                                         .gamma_gradient = gamma_gradient.span(),
                                         .beta_gradient = beta_gradient.span(),
                                         .in_gradient = gradient.matrix(rows, columns)});
  expect_near(gradient.host(), keras.in_gradient, "input's gradient");
  expect_near(gamma_gradient.host(), keras.gamma_gradient, "gamma's gradient");
  expect_near(beta_gradient.host(), keras.beta_gradient, "beta's gradient");
}

TEST_P(DeviceSuite, KerasDotsGiveItsValuesAndGradients) {
  for (const KerasDot& keras : kDots) {
    const std::size_t depth = keras.shape.depth;
    const std::size_t left_rows = keras.left.size() / depth,
                      right_rows = keras.right.size() / depth;
    const OnDevice<float> left(*device_, keras.left), right(*device_, keras.right);
    const OnDevice<float> unit_left(*device_, keras.left), unit_right(*device_, keras.right);
    const OnDevice<float> out(*device_, keras.out), gradient(*device_, keras.out_gradient);
    const OnDevice<float> left_gradient(*device_, keras.left);
    const OnDevice<float> right_gradient(*device_, keras.right);
    if (keras.normalize) {
      device_->unit_rows(
          {.in = left.matrix(left_rows, depth), .out = unit_left.matrix(left_rows, depth)});
      device_->unit_rows(
          {.in = right.matrix(right_rows, depth), .out = unit_right.matrix(right_rows, depth)});
    }
    device_->dot({.shape = keras.shape,
                  .left = unit_left.span(),
                  .right = unit_right.span(),
                  .out = out.span()});
    expect_near(out.host(), keras.out, "out");
    device_->dot_backward({.shape = keras.shape,
                           .left = unit_left.span(),
                           .right = unit_right.span(),
                           .out_gradient = gradient.span(),
                           .left_gradient = left_gradient.span(),
                           .right_gradient = right_gradient.span()});
    if (keras.normalize) {
      device_->unit_rows_backward({.in = left.matrix(left_rows, depth),
                                   .out_gradient = left_gradient.matrix(left_rows, depth),
                                   .in_gradient = left_gradient.matrix(left_rows, depth)});
      device_->unit_rows_backward({.in = right.matrix(right_rows, depth),
                                   .out_gradient = right_gradient.matrix(right_rows, depth),
                                   .in_gradient = right_gradient.matrix(right_rows, depth)});
    }
    expect_near(left_gradient.host(), keras.left_gradient, "left gradient");
    expect_near(right_gradient.host(), keras.right_gradient, "right gradient");
  }
}

}  // namespace
}  // namespace dtrain::inline v0::compute
