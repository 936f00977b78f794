// Embedding: what it computes with its table in the arena, and with rows from elsewhere.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "batch.h"
#include "compute/cpu_device.h"
#include "dtrain/error.h"
#include "model/network.h"
#include "tensor/initializer.h"

namespace dtrain::inline v0::model {
namespace {

constexpr std::uint64_t kSeed = 4;

Sequential description(std::int64_t input_dim = 6) {
  return {.input_shape = {3},
          .layers = {Embedding{.input_dim = input_dim, .output_dim = 2}, Flatten{}, Dense{1}}};
}

/// Four examples of three ids, some of them twice.
Examples examples() {
  return {.input_shape = {3},
          .inputs = {0, 5, 0, 1, 1, 1, 5, 2, 0, 2, 2, 5},
          .targets = {1, -1, 0.5F, 0},
          .target_shape = {1},
          .indices = {40, 41, 42, 43}};
}

std::vector<float> first_table() {
  std::vector<float> table(12);
  tensor::initialize(RandomUniform{}, {6, 2}, kSeed, "embedding/embeddings", table);
  return table;
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
    return "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
}

TEST(Embedding, GivesTheRowsThatIdsName) {
  const auto device = compute::cpu_device();
  Network network({.input_shape = {3}, .layers = {Embedding{.input_dim = 6, .output_dim = 2}}},
                  kSeed, *device);
  EXPECT_EQ(network.output_shape(), (Shape{3, 2}));
  EXPECT_EQ(network.layout().at("embedding/embeddings").shape, (Shape{6, 2}));
  const std::vector<float> table = first_table();
  const Examples data = examples();
  std::vector<float> out(4 * 6);
  network.predict(data.batch(), out);
  for (std::size_t i = 0; i < 12; ++i) {
    const auto row = static_cast<std::size_t>(data.inputs[i]);
    EXPECT_EQ(out[2 * i], table[2 * row]);
    EXPECT_EQ(out[2 * i + 1], table[2 * row + 1]);
  }
}

TEST(Embedding, TakesIntegersAsItTakesFloats) {
  const auto device = compute::cpu_device();
  Network network(description(), kSeed, *device);
  const Examples data = examples();
  const std::vector<std::int64_t> ids(data.inputs.begin(), data.inputs.end());
  std::vector<float> from_floats(4), from_integers(4);
  network.predict(data.batch(), from_floats);
  tensor::Batch batch = data.batch();
  batch.inputs = {tensor::view_of(std::span(ids), {4, 3})};
  network.predict(batch, from_integers);
  EXPECT_EQ(from_integers, from_floats);
}

TEST(Embedding, ItsGradientIsTheDifferenceOfTheLoss) {
  const auto device = compute::cpu_device();
  Network network(description(), kSeed, *device);
  network.set_objective(MeanSquaredError{}, {});
  const Examples data = examples();
  const auto loss_now = [&] {
    Sums sums;
    network.train_step(data.batch(), 0, sums);
    return sums.mean_loss();
  };
  loss_now();
  const tensor::LayoutEntry entry = network.layout().at("embedding/embeddings");
  const std::vector<float> gradients(network.gradients().begin(), network.gradients().end());
  for (std::size_t i = entry.offset; i < entry.end(); ++i) {
    float& value = network.mutable_values()[i];
    const float kept = value;
    value = kept + 0.01F;
    const double above = loss_now();
    value = kept - 0.01F;
    const double below = loss_now();
    value = kept;
    EXPECT_NEAR(gradients[i], (above - below) / 0.02, 1e-3) << i - entry.offset;
  }
  // No example has the ids 3 and 4.
  for (const std::size_t i : {6U, 7U, 8U, 9U}) EXPECT_EQ(gradients[entry.offset + i], 0.0F);
}

TEST(Embedding, RowsFromElsewhereGiveTheSameBits) {
  const auto device = compute::cpu_device();
  Network whole(description(), kSeed, *device);
  Network rows(description(), kSeed, *device, {.rows_elsewhere = true});
  EXPECT_EQ(rows.layout().find("embedding/embeddings"), nullptr);
  ASSERT_EQ(rows.row_tables().size(), 1U);
  EXPECT_EQ(rows.row_tables()[0].rows, 6);
  EXPECT_EQ(rows.row_tables()[0].seed, kSeed);
  const std::vector<float> table = first_table();
  std::vector<std::vector<std::uint64_t>> asked;
  rows.set_fetch_rows([&](std::span<const RowRequest> requests) {
    ASSERT_EQ(requests.size(), 1U);
    const auto& [index, keys, values] = requests[0];
    EXPECT_EQ(index, 0U);
    asked.emplace_back(keys.begin(), keys.end());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      std::copy_n(table.data() + 2 * keys[i], 2, values.data() + 2 * i);
    }
  });
  const Examples data = examples();
  Sums sums, whole_sums;
  for (Network* network : {&whole, &rows}) network->set_objective(MeanSquaredError{}, {});
  whole.train_step(data.batch(), 0, whole_sums);
  rows.train_step(data.batch(), 0, sums);
  EXPECT_EQ(sums.mean_loss(), whole_sums.mean_loss());
  ASSERT_EQ(asked, (std::vector<std::vector<std::uint64_t>>{{0, 1, 2, 5}}));
  EXPECT_TRUE(std::ranges::equal(rows.row_keys(0), asked[0]));
  const tensor::LayoutEntry entry = whole.layout().at("embedding/embeddings");
  for (std::size_t i = 0; i < 8; ++i) {
    const std::size_t row = asked[0][i / 2];
    EXPECT_EQ(rows.row_gradients(0)[i], whole.gradients()[entry.offset + 2 * row + i % 2]);
  }
  // Evaluation and prediction fetch the rows of their own batches.
  std::vector<float> out(1), whole_out(1);
  rows.predict(data.batch(1, 1), out);
  whole.predict(data.batch(1, 1), whole_out);
  EXPECT_EQ(out, whole_out);
  EXPECT_EQ(asked.back(), (std::vector<std::uint64_t>{1}));
}

TEST(Embedding, RowsThatNobodyFetchesAreAnError) {
  const auto device = compute::cpu_device();
  Network network(description(), kSeed, *device, {.rows_elsewhere = true});
  const Examples data = examples();
  std::vector<float> out(4);
  EXPECT_THROW(network.predict(data.batch(), out), Error);
}

TEST(Embedding, IdsThatAreNoneAreNamed) {
  const auto device = compute::cpu_device();
  Network network(description(std::int64_t{1} << 25), kSeed, *device, {.rows_elsewhere = true});
  const auto says = [&](float id) {
    Examples data = examples();
    data.inputs[7] = id;
    std::vector<float> out(4);
    return message_of([&] { network.predict(data.batch(), out); });
  };
  EXPECT_EQ(says(1.5F),
            "[INVALID_ARGUMENT] embedding \"embedding\": id 1 of example 42 is 1.5. Ids are "
            "integers from "
            "0.");
  EXPECT_EQ(says(-1.0F),
            "[INVALID_ARGUMENT] embedding \"embedding\": id 1 of example 42 is -1, but the "
            "embedding has 33554432 rows. Give "
            "ids from 0 to 33554431, or raise input_dim.");
  for (const float id : {16777216.0F, -1e30F, std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_NE(says(id).find("floats tell ids apart below 16777216 only. Give integer features"),
              std::string::npos)
        << says(id);
  }
  Examples data = examples();
  const std::vector<std::int64_t> ids{0, 1, std::int64_t{1} << 25};
  tensor::Batch batch{.size = 1, .inputs = {tensor::view_of(std::span(ids), {1, 3})}};
  std::vector<float> out(1);
  EXPECT_NE(message_of([&] {
              network.predict(batch, out);
            }).find("id 2 of example 0 is 33554432, but the embedding has 33554432 rows"),
            std::string::npos);
}

TEST(Embedding, IntegersAreOnlyForIds) {
  const auto device = compute::cpu_device();
  Network network({.input_shape = {3}, .layers = {Dense{1}}}, kSeed, *device);
  const std::vector<std::int64_t> inputs{1, 2, 3};
  std::vector<float> out(1);
  EXPECT_NE(
      message_of([&] {
        network.predict({.size = 1, .inputs = {tensor::view_of(std::span(inputs), {1, 3})}}, out);
      }).find("the inputs are int64, but the model takes float32"),
      std::string::npos);
}

TEST(Embedding, WhatCannotBeBuiltIsRefused) {
  const auto says = [](const std::vector<Layer>& layers) {
    return message_of(
        [&] { build_graph(to_functional({.input_shape = {3}, .layers = layers}), 1); });
  };
  EXPECT_NE(says({Dense{2}, Embedding{.input_dim = 2, .output_dim = 2}})
                .find("layer 1 (\"embedding\"): Embedding takes ids, but its input is what a layer "
                      "that computes gives"),
            std::string::npos);
  EXPECT_NE(says({Embedding{.input_dim = 0, .output_dim = 2}})
                .find("Embedding::input_dim is 0 and output_dim 2"),
            std::string::npos);
  EXPECT_NE(says({Embedding{.input_dim = std::int64_t{1} << 60, .output_dim = 1 << 20}})
                .find("more than memory can address"),
            std::string::npos);
  EXPECT_NE(says({Embedding{.input_dim = 2,
                            .output_dim = 2,
                            .embeddings_initializer = RandomNormal{.stddev = -1.0F}}})
                .find("embeddings_initializer: RandomNormal::stddev is -1"),
            std::string::npos);
}

}  // namespace
}  // namespace dtrain::inline v0::model
