#include "model/network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/philox.h"
#include "batch.h"
#include "compute/cpu_device.h"
#include "dtrain/error.h"
#include "support/seed.h"

namespace dtrain::inline v0::model {
namespace {

const Sequential kDigits{.input_shape = {64}, .layers = {Dense{128, Activation::kRelu}, Dense{10}}};
const Loss kLogits = SparseCategoricalCrossentropy{.from_logits = true};

/// `count` examples of random numbers, their labels below `classes`.
Examples labelled(const Shape& input_shape, std::size_t count, std::int32_t classes,
                  std::uint64_t seed) {
  Examples examples{.input_shape = input_shape};
  base::PhiloxStream numbers(seed);
  examples.inputs.resize(count * tensor::element_count(input_shape));
  for (float& input : examples.inputs) input = 2.0F * numbers.uniform() - 1.0F;
  for (std::size_t i = 0; i < count; ++i) {
    examples.labels.push_back(
        static_cast<std::int32_t>(numbers.below(static_cast<std::uint64_t>(classes))));
    examples.indices.push_back(1000 + 3 * i);
  }
  return examples;
}

std::vector<float> copy_of(std::span<const float> elements) {
  return {elements.begin(), elements.end()};
}

template <typename Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Network, LayoutRunsFromTheLastLayerToTheFirst) {
  const auto device = compute::cpu_device();
  const Network network(kDigits, 1, *device);
  std::vector<std::string> names, in_order;
  for (const auto& entry : network.layout().entries()) names.push_back(entry.name);
  for (const std::size_t index : network.weight_order()) in_order.push_back(names[index]);
  EXPECT_EQ(names, (std::vector<std::string>{"dense_1/kernel", "dense_1/bias", "dense/kernel",
                                             "dense/bias"}));
  EXPECT_EQ(in_order, (std::vector<std::string>{"dense/kernel", "dense/bias", "dense_1/kernel",
                                                "dense_1/bias"}));
  EXPECT_EQ(network.output_shape(), (Shape{10}));
  const auto declared = network.declarations(network.values());
  EXPECT_EQ(tensor::Layout::plan(declared).count(), network.layout().count());
  EXPECT_EQ(declared[2].initial.size(), 64U * 128U);
}

TEST(Network, FirstValuesDependOnTheSeedAndNotOnWhatElseIsBuilt) {
  const auto device = compute::cpu_device();
  const Network one(kDigits, 7, *device), same(kDigits, 7, *device), other(kDigits, 8, *device);
  EXPECT_EQ(copy_of(one.values()), copy_of(same.values()));
  EXPECT_NE(copy_of(one.values()), copy_of(other.values()));
  const Network longer({.input_shape = {64}, .layers = {Dense{128}, Dense{10}, Dense{5}}}, 7,
                       *device);
  const auto& in_one = one.layout().at("dense_1/kernel");
  const auto& in_longer = longer.layout().at("dense_1/kernel");
  EXPECT_EQ(copy_of(one.values().subspan(in_one.offset, in_one.count)),
            copy_of(longer.values().subspan(in_longer.offset, in_longer.count)));
}

TEST(Network, GradientsBecomeFinalFromFrontToBackAndCoverTheArena) {
  const auto device = compute::cpu_device();
  Network network(
      {.input_shape = {4},
       .layers = {Dense{5}, ActivationLayer{Activation::kTanh},
                  Dense{.units = 7, .use_bias = false}, Dropout{}, Dense{3, Activation::kSoftmax}}},
      1, *device);
  network.set_objective(SparseCategoricalCrossentropy{}, {});
  std::vector<float> final_gradients(network.layout().count());
  std::size_t done = 0;
  int calls = 0;
  network.set_gradients_ready([&](std::size_t begin, std::size_t end) {
    EXPECT_EQ(begin, done);
    EXPECT_LT(begin, end);
    std::copy(network.gradients().begin() + static_cast<std::ptrdiff_t>(begin),
              network.gradients().begin() + static_cast<std::ptrdiff_t>(end),
              final_gradients.begin() + static_cast<std::ptrdiff_t>(begin));
    done = end;
    ++calls;
  });
  const Examples examples = labelled({4}, 6, 3, 2);
  Sums sums;
  network.train_step(examples.batch(), 0, sums);
  EXPECT_EQ(done, network.layout().count());
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(final_gradients, copy_of(network.gradients()));
}

TEST(Network, ALargeKernelsGradientBecomesFinalInPieces) {
  const auto device = compute::cpu_device();
  Network network({.input_shape = {700}, .layers = {Dense{400, Activation::kRelu}, Dense{3}}}, 1,
                  *device);
  network.set_objective(kLogits, {});
  const Examples examples = labelled({700}, 5, 3, 2);
  Sums sums;
  network.train_step(examples.batch(), 0, sums);
  const std::vector<float> expected = copy_of(network.gradients());
  std::vector<float> values = copy_of(network.values());
  std::vector<float> gradients(values.size());
  network.bind(values, gradients);
  std::vector<std::size_t> ends{0};
  network.set_gradients_ready([&](std::size_t begin, std::size_t end) {
    EXPECT_EQ(begin, ends.back());
    ends.push_back(end);
    // Nobody reads these any more.
    std::fill(values.begin() + static_cast<std::ptrdiff_t>(begin),
              values.begin() + static_cast<std::ptrdiff_t>(end), 1e30F);
  });
  network.train_step(examples.batch(), 0, sums);
  EXPECT_EQ(ends.size(), 4U) << "one layer, and the other one in two pieces";
  EXPECT_EQ(gradients, expected);
}

TEST(Network, ABatchMayBeSplitOverWorkersWithDropoutToo) {
  const auto device = compute::cpu_device();
  const std::uint64_t seed = support::seed();
  Network network(
      {.input_shape = {20},
       .layers = {Dropout{.rate = 0.2F}, Dense{50, Activation::kRelu}, Dropout{}, Dense{4}}},
      seed, *device);
  network.set_objective(kLogits, {"accuracy"});
  const Examples examples = labelled({20}, 37, 4, seed);
  Sums whole_sums;
  network.train_step(examples.batch(), 5, whole_sums);
  const auto whole = copy_of(network.gradients());
  for (const std::size_t cut : {1U, 10U, 36U}) {
    Sums sums;
    std::vector<double> merged(whole.size());
    for (const auto& [first, count] :
         {std::pair<std::size_t, std::size_t>{0, cut}, {cut, 37 - cut}}) {
      network.train_step(examples.batch(first, count), 5, sums);
      for (std::size_t i = 0; i < merged.size(); ++i) {
        merged[i] +=
            static_cast<double>(network.gradients()[i]) * static_cast<double>(count) / 37.0;
      }
    }
    for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(merged[i], whole[i], 2e-6);
    EXPECT_NEAR(sums.loss, whole_sums.loss, 1e-4);
    EXPECT_EQ(sums.metrics, whole_sums.metrics);
    EXPECT_EQ(sums.examples, 37U);
  }
  network.train_step(examples.batch(), 6, whole_sums);
  EXPECT_NE(copy_of(network.gradients()), whole) << "another step draws other numbers";
}

TEST(Network, DropoutActsInTrainingOnlyAndCanHaveASeedOfItsOwn) {
  const auto device = compute::cpu_device();
  const auto gradients = [&](std::uint64_t seed, std::optional<std::uint64_t> own) {
    Network network({.input_shape = {30},
                     .layers = {Dropout{.rate = 0.5F, .seed = own},
                                Dense{.units = 3, .kernel_initializer = Constant{0.1F}}}},
                    seed, *device);
    network.set_objective(kLogits, {});
    const Examples examples = labelled({30}, 8, 3, 1);
    Sums sums;
    network.train_step(examples.batch(), 1, sums);
    return copy_of(network.gradients());
  };
  EXPECT_NE(gradients(1, {}), gradients(2, {}));
  EXPECT_EQ(gradients(1, 9), gradients(2, 9));

  Network network({.input_shape = {30}, .layers = {Dropout{}, Flatten{}}}, 1, *device);
  const Examples examples = labelled({30}, 8, 3, 1);
  std::vector<float> out(8 * 30);
  network.predict(examples.batch(), out);
  EXPECT_EQ(out, examples.inputs);
}

TEST(Network, AFinalSoftmaxIsTheSameAsALossFromLogits) {
  const auto device = compute::cpu_device();
  const auto run = [&](const Layer& last, const Loss& loss, const Layer& activation) {
    Network network({.input_shape = {6}, .layers = {Dense{9, Activation::kTanh}, last, activation}},
                    3, *device);
    network.set_objective(loss, {"accuracy"});
    const Examples examples = labelled({6}, 11, 4, 3);
    Sums sums, evaluated;
    network.train_step(examples.batch(), 0, sums);
    network.evaluate_step(examples.batch(), evaluated);
    EXPECT_EQ(sums, evaluated);
    return std::pair(sums, copy_of(network.gradients()));
  };
  const auto logits = run(Dense{4}, kLogits, Flatten{});
  EXPECT_EQ(run(Dense{4, Activation::kSoftmax}, SparseCategoricalCrossentropy{}, Flatten{}),
            logits);
  EXPECT_EQ(run(Dense{4}, SparseCategoricalCrossentropy{}, ActivationLayer{Activation::kSoftmax}),
            logits);
}

TEST(Network, MetricsOfProbabilitiesSeeTheSoftmax) {
  const auto device = compute::cpu_device();
  Network network({.input_shape = {2}, .layers = {Dense{3, Activation::kSoftmax}}}, 1, *device);
  network.set_objective(CategoricalCrossentropy{}, {"mean_absolute_error"});
  const Examples examples{
      .input_shape = {2}, .inputs = {5, -3}, .targets = {0, 1, 0}, .target_shape = {3}};
  Sums sums;
  network.train_step(examples.batch(), 0, sums);
  std::vector<float> p(3);
  network.predict(examples.batch(), p);
  EXPECT_NEAR(p[0] + p[1] + p[2], 1.0F, 1e-6F);
  EXPECT_NEAR(sums.metrics[0] / sums.metrics[1], (p[0] + (1 - p[1]) + p[2]) / 3, 1e-6);
  EXPECT_NEAR(sums.loss, -std::log(p[1]), 1e-5);
}

TEST(Network, ComputesInArenasThatAreLent) {
  const auto device = compute::cpu_device();
  Network own(kDigits, 4, *device), lent(kDigits, 4, *device);
  own.set_objective(kLogits, {});
  lent.set_objective(kLogits, {});
  std::vector<float> values(lent.layout().count()), gradients(values.size());
  lent.initial_values(values);
  lent.bind(values, gradients);
  const Examples examples = labelled({64}, 16, 10, 4);
  Sums sums;
  own.train_step(examples.batch(), 0, sums);
  lent.train_step(examples.batch(), 0, sums);
  EXPECT_EQ(gradients, copy_of(own.gradients()));
  EXPECT_EQ(lent.values().data(), values.data());
  EXPECT_EQ(message_of([&] { lent.mutable_values(); }),
            "[FAILED_PRECONDITION] the network computes with values that were lent to it by "
            "bind(). Write to the memory that was lent.");
  EXPECT_EQ(message_of([&] { lent.bind(std::span(values).first(3), gradients); }),
            "[INVALID_ARGUMENT] the arenas have 3 values and 9616 gradients. Give layout().count() "
            "of each: 9616.");
}

TEST(Network, MistakesInABatchHaveMessagesOfTheirOwn) {
  const auto device = compute::cpu_device();
  Network network({.input_shape = {8, 8}, .layers = {Flatten{}, Dropout{}, Dense{10}}}, 1, *device);
  const Examples narrow = labelled({63}, 2, 10, 1);
  const Examples good = labelled({8, 8}, 2, 10, 1);
  Sums sums;
  EXPECT_EQ(message_of([&] { network.train_step(good.batch(), 0, sums); }),
            "[FAILED_PRECONDITION] the model has no loss yet. Call compile() with a loss first.");
  network.set_objective(kLogits, {});
  EXPECT_EQ(
      message_of([&] { network.train_step(narrow.batch(), 0, sums); }),
      "[INVALID_ARGUMENT] the inputs have the shape (2, 63), but the model takes (2, 8, 8): "
      "2 examples of (8, 8). Change the shape of the model's input, or the columns of the data.");
  tensor::Batch integers = good.batch();
  integers.inputs[0].dtype = tensor::DType::kInt32;
  EXPECT_EQ(message_of([&] { network.evaluate_step(integers, sums); }),
            "[INVALID_ARGUMENT] the inputs are int32, but the model takes float32. Give data of "
            "that type, or change "
            "the type of the model's input.");
  tensor::Batch anonymous = good.batch();
  anonymous.example_indices = {};
  EXPECT_EQ(message_of([&] { network.train_step(anonymous, 0, sums); }),
            "[INVALID_ARGUMENT] the batch has 2 examples and 0 example indices. Dropout needs each "
            "example's index in the data set.");
  EXPECT_EQ(message_of([&] { network.evaluate_step(anonymous, sums); }), "no error");
  tensor::Batch empty = good.batch();
  empty.size = 0;
  EXPECT_EQ(message_of([&] { network.predict(empty, {}); }),
            "[INVALID_ARGUMENT] the batch is empty. Give at least 1 example.");
  std::vector<float> small(19);
  EXPECT_EQ(message_of([&] { network.predict(good.batch(), small); }),
            "[INVALID_ARGUMENT] the memory for predictions has 19 elements. Give batch.size * "
            "output_count() of them: 20.");
}

TEST(Network, NanInTheInputsIsCountedAndReachesLossAndGradients) {
  const auto device = compute::cpu_device();
  Network network(kDigits, 1, *device);
  network.set_objective(kLogits, {"accuracy"});
  Examples examples = labelled({64}, 5, 10, 1);
  examples.inputs[64] = std::numeric_limits<float>::quiet_NaN();
  Sums sums;
  network.train_step(examples.batch(), 0, sums);
  EXPECT_EQ(sums.nonfinite, 1U);
  EXPECT_TRUE(std::isnan(sums.loss));
  EXPECT_TRUE(std::isnan(network.gradients()[0]));
}

// Points of the plane, labelled by quadrant parity: no linear model gets above one half.
TEST(Network, LearnsWhatALinearModelCannot) {
  for (const int threads : {1, 2}) {
    const auto device = compute::cpu_device({.threads = threads});
    const std::uint64_t seed = support::seed();
    Examples examples = labelled({2}, 1024, 2, seed);
    for (std::size_t i = 0; i < examples.size(); ++i) {
      examples.labels[i] = examples.inputs[2 * i] * examples.inputs[2 * i + 1] > 0 ? 1 : 0;
    }
    const auto train = [&] {
      Network network({.input_shape = {2},
                       .layers = {Dense{32, Activation::kRelu}, Dense{2, Activation::kSoftmax}}},
                      seed, *device);
      network.set_objective(SparseCategoricalCrossentropy{}, {"accuracy"});
      std::vector<float> m(network.layout().count()), v(m.size());
      for (std::int64_t step = 0; step < 600; ++step) {
        Sums sums;
        network.train_step(examples.batch(static_cast<std::size_t>(step % 16) * 64, 64), step,
                           sums);
        device->optimizer_step(Adam{.learning_rate = 0.01F}, {.step = step + 1,
                                                              .values = network.values(),
                                                              .updated = network.mutable_values(),
                                                              .gradients = network.gradients(),
                                                              .slots = {m, v}});
      }
      Sums sums;
      network.evaluate_step(examples.batch(), sums);
      EXPECT_GT(sums.metrics[0] / sums.metrics[1], 0.95);
      return copy_of(network.values());
    };
    EXPECT_EQ(train(), train()) << "a second run has other bits";
  }
}

}  // namespace
}  // namespace dtrain::inline v0::model
