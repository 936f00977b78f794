// Preprocessing layers give Keras 3.12's numbers (TensorFlow 2.21; the values were printed by it).
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "compute/cpu_device.h"
#include "dtrain/error.h"
#include "model/graph.h"
#include "model/network.h"

namespace dtrain::inline v0::model {
namespace {

template <typename T>
tensor::View run(const Layer& layer, std::vector<T> elements, const Shape& shape,
                 HostBuffer& buffer) {
  Functional functional;
  const auto in = functional.input({.shape = shape, .dtype = tensor::dtype_of<T>()});
  // What a preprocessing layer gives is no output: something must compute.
  auto out = functional.add(layer, {in});
  const bool gives_ids =
      std::holds_alternative<StringLookup>(layer) || std::holds_alternative<IntegerLookup>(layer) ||
      std::holds_alternative<Hashing>(layer) || std::holds_alternative<Discretization>(layer);
  functional.output(gives_ids ? functional.add(Embedding{.input_dim = 1000, .output_dim = 1}, {out})
                              : functional.add(Dense{1}, {out}));
  const Graph graph = build_graph(functional, 1);
  const std::size_t width = tensor::element_count(shape);
  return graph.calls[0].host_operation->run(
      {.view = tensor::view_of(std::span<const T>(elements), {}),
       .examples = elements.size() / width},
      buffer);
}

template <typename T>
std::vector<std::int64_t> ids(const Layer& layer, std::vector<T> elements) {
  HostBuffer buffer;
  run(layer, std::move(elements), {1}, buffer);
  return buffer.integers;
}

template <typename T>
std::vector<float> floats(const Layer& layer, std::vector<T> elements, const Shape& shape) {
  HostBuffer buffer;
  run(layer, std::move(elements), shape, buffer);
  return buffer.floats;
}

using Ids = std::vector<std::int64_t>;
using Words = std::vector<std::string_view>;

TEST(Preprocessing, HashesAreTensorFlows) {
  const Words words{
      "a",          "hello",
      "",           "Prof-specialty",
      "?",          "a longer text of more than sixty-four bytes, so that another branch hashes it",
      "k\xc3\xa4se"};
  EXPECT_EQ(ids(Hashing{.num_bins = 1000}, words), (Ids{939, 296, 263, 979, 65, 885, 644}));
  EXPECT_EQ(ids(Hashing{.num_bins = 1000, .mask_value = "?"}, words),
            (Ids{958, 755, 339, 256, 0, 860, 810}));
  EXPECT_EQ(ids(Hashing{.num_bins = 1000}, Ids{0, 7, -12, 123456789012}), (Ids{735, 88, 569, 427}));
}

TEST(Preprocessing, LookupsCountAsKerasDoes) {
  EXPECT_EQ(ids(StringLookup{.vocabulary = {"x", "y"}}, Words{"y", "x", "zz"}), (Ids{2, 1, 0}));
  EXPECT_EQ(ids(StringLookup{.vocabulary = {"x", "y"}, .num_oov_indices = 3, .mask_token = ""},
                Words{"y", "x", "zz", "", "hello", "a"}),
            (Ids{5, 4, 2, 0, 2, 1}));
  EXPECT_EQ(ids(IntegerLookup{.vocabulary = {10, 20}}, Ids{20, 10, 5}), (Ids{2, 1, 0}));
  EXPECT_EQ(ids(IntegerLookup{.vocabulary = {10, 20}, .num_oov_indices = 3, .mask_token = 0},
                Ids{20, 10, 5, 0, -4, 7}),
            (Ids{5, 4, 3, 0, 3, 2}));
}

TEST(Preprocessing, NumbersBecomeBinsAndVectors) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(ids(Discretization{.bin_boundaries = {0, 1, 2}},
                std::vector<float>{-1, 0, 0.5F, 1, 2, 3, nan}),
            (Ids{0, 1, 1, 2, 3, 3, 3}));
  using Floats = std::vector<float>;
  EXPECT_EQ(floats(CategoryEncoding{.num_tokens = 4, .output_mode = CategoryOutput::kOneHot},
                   Ids{3, 1}, {1}),
            (Floats{0, 0, 0, 1, 0, 1, 0, 0}));
  EXPECT_EQ(floats(CategoryEncoding{.num_tokens = 4, .output_mode = CategoryOutput::kOneHot},
                   Ids{0, 3}, {2}),
            (Floats{1, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(floats(CategoryEncoding{.num_tokens = 4}, Ids{0, 3, 3, 1, 2, 0}, {3}),
            (Floats{1, 0, 0, 1, 1, 1, 1, 0}));
  EXPECT_EQ(floats(CategoryEncoding{.num_tokens = 4, .output_mode = CategoryOutput::kCount},
                   Ids{0, 3, 3, 1, 2, 0}, {3}),
            (Floats{1, 0, 0, 2, 1, 1, 1, 0}));
  EXPECT_EQ(floats(Normalization{.mean = {1, 2}, .variance = {4, 0}}, Floats{3, 2.5F}, {2}),
            (Floats{1, 5000000}));
  EXPECT_EQ(floats(Normalization{.mean = {1, 2}, .variance = {4, 9}, .invert = true},
                   Floats{3, 2.5F}, {2}),
            (Floats{7, 9.5F}));
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

TEST(Preprocessing, DataThatDoNotFitAreNamed) {
  EXPECT_EQ(message_of([] {
              ids(StringLookup{.vocabulary = {"x"}, .num_oov_indices = 0}, Words{"x", "why"});
            }),
            "[INVALID_ARGUMENT] layer 0 (\"string_lookup\"): example 1 is \"why\", which is not in "
            "the vocabulary of 1. Add it to the vocabulary, or give num_oov_indices of at least "
            "1.");
  EXPECT_EQ(message_of([] {
              floats(CategoryEncoding{.num_tokens = 3}, Ids{0, 1, 2, 3}, {2});
            }),
            "[INVALID_ARGUMENT] layer 0 (\"category_encoding\"): element 1 of example 1 is 3, but "
            "CategoryEncoding::num_tokens is 3. Give integers from 0 to 2.");
}

TEST(Preprocessing, WhatCannotBeBuiltIsRefused) {
  const auto says = [](const Layer& layer, DType dtype) {
    return message_of([&] {
      Functional functional;
      const auto in = functional.input({.shape = {2}, .dtype = dtype});
      functional.output(functional.add(Dense{1}, {functional.add(layer, {in})}));
      build_graph(functional, 1);
    });
  };
  const auto has = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(says(StringLookup{.vocabulary = {"a"}}, DType::kInt64),
      "it takes string, but its input is int64");
  has(says(StringLookup{}, DType::kString), "StringLookup has no vocabulary");
  has(says(StringLookup{.vocabulary = {"a", "b", "a"}}, DType::kString),
      "StringLookup::vocabulary has \"a\" twice, at 0 and 2");
  has(says(IntegerLookup{.vocabulary = {4, 0}, .mask_token = 0}, DType::kInt64),
      "IntegerLookup::vocabulary has the mask_token 0, at 1");
  has(says(Hashing{}, DType::kString), "Hashing::num_bins is 0");
  has(says(Discretization{.bin_boundaries = {1, 1}}, DType::kFloat32),
      "bin_boundaries[1] is 1 after 1");
  has(says(CategoryEncoding{}, DType::kInt64), "num_tokens is 0");
  has(says(Normalization{}, DType::kFloat32), "Normalization has no mean and variance");
  has(says(Normalization{.mean = {1, 2, 3}, .variance = {1, 2, 3}}, DType::kFloat32),
      "Normalization has 3 means and 3 variances, but its input has 2 columns");
  has(says(StringLookup{.vocabulary = {"a"}}, DType::kString),
      "layer 1 (\"dense\"): it takes float32, but its input is int64");
}

}  // namespace
}  // namespace dtrain::inline v0::model
