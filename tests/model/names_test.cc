#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "dtrain/activation.h"
#include "dtrain/error.h"
#include "dtrain/initializers.h"
#include "dtrain/losses.h"
#include "dtrain/metrics.h"
#include "dtrain/optimizer.h"

namespace dtrain::inline v0 {
namespace {

TEST(Names, AreKerasIdentifiers) {
  EXPECT_EQ(activation_name(Activation::kHardSigmoid), "hard_sigmoid");
  EXPECT_EQ(loss_name(SparseCategoricalCrossentropy{}), "sparse_categorical_crossentropy");
  EXPECT_EQ(loss_name(CategoricalCrossentropy{}), "categorical_crossentropy");
  EXPECT_EQ(loss_name(MeanSquaredError{}), "mean_squared_error");
  EXPECT_EQ(loss_name(MeanAbsoluteError{}), "mean_absolute_error");
  EXPECT_EQ(loss_name(BinaryCrossentropy{}), "binary_crossentropy");
  EXPECT_EQ(loss_name(Huber{}), "huber");
  EXPECT_EQ(metric_name(metrics::Accuracy{}), "accuracy");
  EXPECT_EQ(metric_name(metrics::Auc{}), "auc");
  EXPECT_EQ(metric_name(metrics::RootMeanSquaredError{}), "root_mean_squared_error");
  EXPECT_EQ(metric_name(metrics::Precision{.name = "mine"}), "mine");
}

TEST(Names, StandForDescriptionsWithTheirDefaults) {
  EXPECT_EQ(Loss("mse"), Loss(MeanSquaredError{}));
  EXPECT_EQ(Loss("MeanSquaredError"), Loss(MeanSquaredError{}));
  EXPECT_EQ(Loss(std::string("sparse_categorical_crossentropy")),
            Loss(SparseCategoricalCrossentropy{}));
  EXPECT_EQ(Loss("bce"), Loss(BinaryCrossentropy{}));
  EXPECT_EQ(Metric("AUC"), Metric(metrics::Auc{}));
  EXPECT_EQ(metric_name("mse"), "mse") << "logs show the name that was given";
  EXPECT_EQ(Optimizer("adam"), Optimizer(Adam{}));
  EXPECT_EQ(Optimizer("SGD"), Optimizer(Sgd{}));
  EXPECT_EQ(Initializer("he_normal"), Initializer(HeNormal{}));
  EXPECT_EQ(Initializer("zeros"), Initializer(Zeros{}));
}

TEST(Names, EveryLossIsFoundByItsName) {
  for (const Loss& loss : {Loss(SparseCategoricalCrossentropy{}), Loss(CategoricalCrossentropy{}),
                           Loss(BinaryCrossentropy{}), Loss(MeanSquaredError{}),
                           Loss(MeanAbsoluteError{}), Loss(Huber{})}) {
    EXPECT_EQ(Loss(loss_name(loss)), loss);
  }
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "valid";
}

TEST(Names, AnUnknownOneIsAnErrorThatListsThoseThereAre) {
  EXPECT_EQ(message_of([] { Loss("mean_square_error"); }),
            "[INVALID_ARGUMENT] there is no loss \"mean_square_error\". Did you mean "
            "\"mean_squared_error\"? There are: mean_squared_error, mse, mean_absolute_error, mae, "
            "huber, binary_crossentropy, bce, categorical_crossentropy, "
            "sparse_categorical_crossentropy.");
  EXPECT_EQ(message_of([] { Optimizer("adma"); }),
            "[INVALID_ARGUMENT] there is no optimizer \"adma\". Did you mean \"adam\"? There are: "
            "sgd, adagrad, adadelta, rmsprop, adam, adamw, adamax, nadam, ftrl, lion.");
  EXPECT_NE(message_of([] { Metric("roc"); }).find("There are: accuracy, acc, "),
            std::string::npos);
  EXPECT_NE(message_of([] { Initializer("glorot_unifrom"); }).find("mean \"glorot_uniform\"?"),
            std::string::npos);
}

TEST(Names, EveryActivationHasItsOwn) {
  std::set<std::string_view> names;
  for (int kind = 0; kind <= static_cast<int>(Activation::kSoftmax); ++kind) {
    names.insert(activation_name(static_cast<Activation>(kind)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Activation::kSoftmax) + 1);
}

}  // namespace
}  // namespace dtrain::inline v0
