#include "bench/exchange_models.h"

#include <array>
#include <string>

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::bench {
namespace {

void add(std::vector<Variable>& variables, std::string name, Shape shape) {
  variables.push_back({.name = std::move(name), .shape = std::move(shape)});
}

void add_convolution(std::vector<Variable>& variables, const std::string& name, std::int64_t size,
                     std::int64_t inputs, std::int64_t outputs) {
  add(variables, name + "/kernel", {size, size, inputs, outputs});
  add(variables, name + "/norm/gamma", {outputs});
  add(variables, name + "/norm/beta", {outputs});
}

void add_dense(std::vector<Variable>& variables, const std::string& name, std::int64_t inputs,
               std::int64_t outputs) {
  add(variables, name + "/kernel", {inputs, outputs});
  add(variables, name + "/bias", {outputs});
}

}  // namespace

std::uint64_t element_count(const Shape& shape) {
  std::uint64_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::uint64_t>(size);
  return count;
}

std::vector<Variable> resnet50_variables() {
  constexpr std::array<int, 4> kBlocks = {3, 4, 6, 3};
  constexpr std::int64_t kExpansion = 4;
  std::vector<Variable> variables;
  add_convolution(variables, "stem", 7, 3, 64);
  std::int64_t inputs = 64;
  for (std::size_t stage = 0; stage < kBlocks.size(); ++stage) {
    const std::int64_t width = std::int64_t{64} << stage;
    for (int block = 0; block < kBlocks[stage]; ++block) {
      const std::string name = base::str_cat("stage_", stage + 1, "/block_", block);
      if (block == 0) add_convolution(variables, name + "/shortcut", 1, inputs, width * kExpansion);
      add_convolution(variables, name + "/reduce", 1, inputs, width);
      add_convolution(variables, name + "/middle", 3, width, width);
      add_convolution(variables, name + "/expand", 1, width, width * kExpansion);
      inputs = width * kExpansion;
    }
  }
  add_dense(variables, "classes", inputs, 1000);
  return variables;
}

std::vector<Variable> recommender_variables() {
  constexpr std::int64_t kWidth = 16;
  constexpr std::int64_t kDenseRowsMax = 100'000;
  constexpr std::array<std::int64_t, 26> kRows = {
      1460,  583,  10131227, 2202608, 305, 24,     12517,   633,   3,
      93145, 5683, 8351593,  3194,    27,  14992,  5461306, 10,    5652,
      2173,  4,    7046547,  18,      15,  286181, 105,     142572};
  // The top sees the dense vector and the products of each two of the 26 + 1 vectors.
  constexpr std::int64_t kPairs = 27 * 26 / 2;
  std::vector<Variable> variables;
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i] >= kDenseRowsMax) continue;
    add(variables, base::str_cat("embedding_", i), {kRows[i], kWidth});
  }
  constexpr std::array<std::int64_t, 5> kBottom = {13, 512, 256, 64, kWidth};
  constexpr std::array<std::int64_t, 4> kTop = {kPairs + kWidth, 512, 256, 1};
  for (std::size_t i = 0; i + 1 < kBottom.size(); ++i) {
    add_dense(variables, base::str_cat("bottom_", i), kBottom[i], kBottom[i + 1]);
  }
  for (std::size_t i = 0; i + 1 < kTop.size(); ++i) {
    add_dense(variables, base::str_cat("top_", i), kTop[i], kTop[i + 1]);
  }
  return variables;
}

std::vector<Variable> model_variables(std::string_view name) {
  if (name == "resnet50") return resnet50_variables();
  if (name == "recommender") return recommender_variables();
  throw Error(ErrorCode::kInvalidArgument, base::str_cat("there is no model \"", name, "\""),
              "There are resnet50 and recommender");
}

}  // namespace dtrain::inline v0::bench
