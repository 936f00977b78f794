#include "ps/wire_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "ps/sim_cluster.h"

namespace dtrain::inline v0::ps {
namespace {

constexpr auto kMixed = std::to_array({GradientType::kFloat32, GradientType::kBFloat16,
                                       GradientType::kFloat16, GradientType::kFloat16});

/// "a" is at 0, "b" at 16, "c" at 32, "d" at 48; 52 elements, padded to 64.
tensor::Layout four_variables() {
  return tensor::Layout::plan({{.name = "a", .shape = {5}},
                               {.name = "b", .shape = {7}},
                               {.name = "c", .shape = {3}},
                               {.name = "d", .shape = {4}}});
}

TEST(WireFormat, OfFloat32IsTheMemoryItself) {
  const tensor::Layout layout = four_variables();
  EXPECT_TRUE(WireFormat().plain());
  EXPECT_TRUE(WireFormat(layout, std::vector(4, GradientType::kFloat32)).plain());
  EXPECT_EQ(WireFormat().bytes({3, 9}), 36U);
}

TEST(WireFormat, EveryRangeSurvivesInTheBytesThatItSays) {
  const tensor::Layout layout = four_variables();
  const WireFormat format(layout, kMixed);
  EXPECT_FALSE(format.plain());
  EXPECT_EQ(format.bytes({0, 16}), 64U);
  EXPECT_EQ(format.bytes({16, 16}), 32U);
  EXPECT_EQ(format.bytes({16, 3}), 8U) << "an odd run is filled up";
  EXPECT_EQ(format.bytes({15, 2}), 4U + 4U);
  std::vector<float> values(layout.count());
  std::iota(values.begin(), values.end(), -30.0F);
  for (std::size_t begin = 0; begin < layout.count(); ++begin) {
    for (std::size_t count = 1; begin + count <= layout.count(); ++count) {
      const Range range{begin, count};
      std::vector<std::uint32_t> words(format.bytes(range) / 4 + 1, 0xdeadbeef);
      format.encode(range, values.data() + begin, std::as_writable_bytes(std::span(words)).data());
      ASSERT_EQ(words.back(), 0xdeadbeef) << "written beyond " << begin << " + " << count;
      std::vector<float> decoded(count);
      format.decode(range, std::as_bytes(std::span(words)).data(), decoded.data());
      ASSERT_TRUE(std::equal(decoded.begin(), decoded.end(), values.data() + begin));
    }
  }
}

/// One step of two workers whose gradients no 16-bit format holds exactly.
std::vector<float> train(std::vector<GradientType> types, int servers) {
  std::vector<Variable> variables{{.name = "a", .shape = {33, 3}}, {.name = "b", .shape = {50}}};
  for (std::size_t i = 0; i < types.size(); ++i) variables[i].gradient_type = types[i];
  SimCluster cluster({.faults = {.drop = 0.02, .duplicate = 0.02},
                      .workers = 2,
                      .servers = servers,
                      .variables = variables,
                      .chunk_elements = 64,
                      .client = {.retry_min = std::chrono::milliseconds(50)}});
  cluster.start(std::vector<float>(cluster.count(), 1.0F));
  for (int rank = 0; rank < 2; ++rank) {
    auto& gradients = cluster.worker(rank).gradients;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      gradients[i] = 0.1F + static_cast<float>(i) / 1024;
    }
  }
  const PushTicket first = cluster.push(0, 1, true);
  cluster.wait(cluster.push(1, 1, true));
  cluster.wait(first);
  EXPECT_EQ(cluster.worker(0).values, cluster.server_values());
  return cluster.server_values();
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b,
                         std::size_t begin, std::size_t end) {
  float largest = 0;
  for (std::size_t i = begin; i < end; ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST(WireFormat, GradientsLoseWhatTheirTypeLosesAndNothingElseDoes) {
  using enum GradientType;
  const std::vector<float> exact = train({kFloat32, kFloat32}, 2);
  const std::vector<float> mixed = train({kFloat32, kBFloat16}, 2);
  EXPECT_EQ(largest_difference(exact, mixed, 0, 99), 0.0F);
  const float lost = largest_difference(exact, mixed, 112, 162);
  EXPECT_GT(lost, 1e-5F);
  EXPECT_LT(lost, 0.25F / 256);
  const std::vector<float> half = train({kFloat16, kFloat16}, 2);
  EXPECT_GT(largest_difference(exact, half, 0, 162), 0.0F);
  EXPECT_LT(largest_difference(exact, half, 0, 162), 0.25F / 2048);
  for (const int servers : {1, 3}) EXPECT_EQ(train({kFloat32, kBFloat16}, servers), mixed);
}

}  // namespace
}  // namespace dtrain::inline v0::ps
