// Loops of the user's own: forward, backward, apply; and single batches.
#include <gtest/gtest.h>

#include <cmath>

#include "strategy/checkpoint_fixture.h"
#include "strategy/cluster_harness.h"

namespace dtrain::inline v0 {
namespace {

Model plain(const Strategy& strategy, const Regularizer& regularizer = {}) {
  Model model = strategy.build({.input_shape = {4},
                                .layers = {Dense{.units = 8,
                                                 .activation = Activation::kTanh,
                                                 .kernel_regularizer = regularizer,
                                                 .name = "hidden"},
                                           Dense{.units = 2, .name = "logits"}}},
                               {.seed = 3});
  model.compile({.optimizer = Adam{.learning_rate = 0.05F},
                 .loss = SparseCategoricalCrossentropy{.from_logits = true},
                 .metrics = {"accuracy"}});
  return model;
}

/// Of the mean sparse categorical cross-entropy by the logits.
std::vector<float> gradient_by_hand(const std::vector<float>& logits,
                                    std::span<const std::int32_t> labels) {
  std::vector<float> gradient(logits.size());
  const auto count = static_cast<float>(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const float a = logits[2 * i], b = logits[2 * i + 1];
    const float second = 1.0F / (1.0F + std::exp(a - b));
    gradient[2 * i] = (1.0F - second - (labels[i] == 0 ? 1.0F : 0.0F)) / count;
    gradient[2 * i + 1] = (second - (labels[i] == 1 ? 1.0F : 0.0F)) / count;
  }
  return gradient;
}

void expect_near(const std::vector<float>& ours, const std::vector<float>& expected) {
  ASSERT_EQ(ours.size(), expected.size());
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], expected[i], 2e-5) << i;
}

TEST(CustomLoop, SingleBatchesAreTheStepsOfFit) {
  const Dataset data = separable_points();
  Model expected = plain(Strategy::local());
  const History history = expected.fit(
      data, {.epochs = 2, .batch_size = 8, .shuffle = false, .verbosity = Verbosity::kSilent});
  Model model = plain(Strategy::local());
  Logs last;
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (std::size_t begin = 0; begin < data.size(); begin += 8) {
      last = model.train_on_batch(data.slice(begin, std::min<std::size_t>(8, data.size() - begin)));
    }
  }
  EXPECT_EQ(all_values(model), all_values(expected));
  EXPECT_EQ(last.size(), 2U);
  EXPECT_TRUE(last.contains("accuracy"));
  EXPECT_TRUE(std::isfinite(last.at("loss")));
}

TEST(CustomLoop, AGradientByHandTrainsAsTheLossItIsOf) {
  const Dataset data = separable_points();
  const auto labels = data.target<std::int32_t>("targets");
  const Regularizer l2{.l2 = 0.01F};
  Model expected = plain(Strategy::local(), l2);
  Model model = plain(Strategy::local(), l2);
  for (int step = 0; step < 10; ++step) {
    expected.train_on_batch(data);
    const auto outputs = model.forward(data);
    ASSERT_EQ(outputs.size(), 1U);
    model.backward({gradient_by_hand(outputs[0], labels)});
    model.apply();
    expect_near(model.gradient("hidden/kernel"), expected.gradient("hidden/kernel"));
    expect_near(all_values(model), all_values(expected));
  }
  EXPECT_EQ(model.forward(data, false)[0], model.predict(data));
}

TEST(CustomLoop, CallsInTheWrongOrderAreErrors) {
  const Dataset data = separable_points();
  Model raw = Strategy::local().build({.input_shape = {4}, .layers = {Dense{2}}});
  EXPECT_NE(error_of([&] { raw.forward(data); }).find("compile()"), std::string::npos);
  EXPECT_NO_THROW(raw.forward(data, false));
  EXPECT_NE(error_of([&] { raw.train_on_batch(data); }).find("compile()"), std::string::npos);

  Model model = plain(Strategy::local());
  const std::vector<float> before = all_values(model);
  const std::vector<float> gradient(100, 0.1F);
  const auto backward = [&](const std::vector<std::vector<float>>& gradients) {
    return error_of([&] { model.backward(gradients); });
  };
  EXPECT_NE(backward({gradient}).find("Call forward() in training"), std::string::npos);
  model.forward(data);
  EXPECT_NE(backward({std::vector<float>(7)}).find("as many as forward() gave: 100"),
            std::string::npos);
  EXPECT_NE(backward({}).find("gradients were given for 0 outputs"), std::string::npos);
  EXPECT_EQ(backward({gradient}), "");
  EXPECT_NE(backward({gradient}).find("Call forward() in training"), std::string::npos);
  model.forward(data);
  model.predict(data);  // another pass: what backward() needs is gone
  EXPECT_NE(backward({gradient}).find("Call forward() in training"), std::string::npos);
  EXPECT_EQ(all_values(model), before);
  EXPECT_NE(error_of([&] { (void)model.gradient("hidden"); }).find("hidden/kernel"),
            std::string::npos);
}

TEST(CustomLoop, WorkersWeighAsManyExamplesAsTheyHave) {
  const Dataset data = separable_points();
  Model single = plain(Strategy::local());
  for (int step = 0; step < 5; ++step) single.train_on_batch(data);
  const auto errors = run_cluster(3, 2, [&](Cluster& cluster) {
    Model model = plain(Strategy::parameter_server(cluster));
    const Dataset mine = cluster.rank() == 0 ? data.slice(0, 20) : data.slice(20, 30);
    const auto labels = mine.target<std::int32_t>("targets");
    for (int step = 0; step < 5; ++step) {
      if (cluster.rank() == 0) {
        const auto outputs = model.forward(mine);
        model.backward({gradient_by_hand(outputs[0], labels)});
      } else if (cluster.rank() == 1) {
        model.train_on_batch(mine);
        continue;
      }
      model.apply();  // the third worker has no examples
    }
    expect_near(all_values(model), all_values(single));
  });
  EXPECT_TRUE(errors.empty()) << errors.begin()->second;
}

}  // namespace
}  // namespace dtrain::inline v0
