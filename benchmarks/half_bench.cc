// Conversions between 32 and 16 bits. The limit is a memcpy that reads and writes as many bytes.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "bench/limits_memory.h"
#include "bench/statistics.h"
#include "compute/half.h"
#include "dtrain/error.h"
#include "kernels_bench.h"
#include "tensor/arena.h"

namespace dtrain::benchmarks {
namespace {

struct Conversion {
  const char* name;
  void (*to)(std::span<const float>, std::span<std::uint16_t>);
  void (*from)(std::span<const std::uint16_t>, std::span<float>);
  float error_max;  // relative, of there and back: half of the last bit kept
};

constexpr Conversion kConversions[] = {
    {"bf16", compute::to_bfloat16, compute::from_bfloat16, 1.0F / 256},
    {"fp16", compute::to_float16, compute::from_float16, 1.0F / 2048},
};

struct Data {
  Data(const Conversion& conversion, std::size_t count) : wide(count), half(count), back(count) {
    for (std::size_t i = 0; i < count; ++i) {
      wide.span()[i] = 1.0F + static_cast<float>(i % 65'521) / 65'521.0F;
    }
    conversion.to(wide.span(), half);
    conversion.from(half, back.span());
    const auto is_near = [&conversion](float a, float b) {
      return std::abs(a - b) <= conversion.error_max * a;
    };
    if (!std::ranges::equal(wide.span(), back.span(), is_near)) {
      throw Error(ErrorCode::kInternal, "Numbers do not survive the conversion there and back");
    }
  }
  tensor::Arena wide;
  std::vector<std::uint16_t> half;
  tensor::Arena back;
};

Comparison compare(const Conversion& conversion, bool to_half, std::size_t bytes) {
  const auto data = std::make_shared<Data>(conversion, bytes / sizeof(float));
  const auto memory = std::make_shared<bench::MemoryLimit>(bytes);
  return {.result =
              [=] {
                const bench::Stopwatch watch;
                if (to_half) {
                  conversion.to(data->wide.span(), data->half);
                } else {
                  conversion.from(data->half, data->back.span());
                }
                return watch.seconds();
              },
          // Six bytes a number are read and written; a copied byte is both.
          .limit = [=] { return memory->copy(bytes / 4 * 3, 0); },
          .bytes = static_cast<double>(bytes)};
}

}  // namespace

void register_half_conversions(const ProgramOptions& options) {
  const std::vector<std::size_t> sizes =
      options.small ? std::vector<std::size_t>{256 << 10}
                    : std::vector<std::size_t>{256 << 10, 16 << 20, 64 << 20};
  for (const Conversion& conversion : kConversions) {
    for (const std::size_t bytes : sizes) {
      for (const bool to_half : {true, false}) {
        add_case(base::str_cat("kernels/half/", to_half ? "to_" : "from_", conversion.name, "/",
                               size_name(bytes)),
                 options, [=] { return compare(conversion, to_half, bytes); });
      }
    }
    if (options.small) return;
  }
}

}  // namespace dtrain::benchmarks
