#include "support/seed.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>

namespace dtrain::inline v0::support {

std::uint64_t seed() {
  std::uint64_t value = 0;
  if (const char* text = std::getenv("DTRAIN_SEED"); text != nullptr) {
    const bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    char* end = nullptr;
    errno = 0;
    value = std::strtoull(text, &end, hexadecimal ? 16 : 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0) {
      throw std::invalid_argument(std::string("DTRAIN_SEED is '") + text +
                                  "'; it must be a number from 0 to 2^64 - 1");
    }
  } else {
    std::random_device entropy;
    value = static_cast<std::uint64_t>(entropy()) << 32 | entropy();
  }
  std::cout << "[   SEED   ] repeat with DTRAIN_SEED=" << value << std::endl;
  return value;
}

bool whole_counts() { return std::getenv("DTRAIN_TEST_FULL") != nullptr; }

void for_each_seed(int reduced, int whole, const std::function<void(std::uint64_t seed)>& run) {
  const std::uint64_t first = seed();
  const int count = whole_counts() ? whole : reduced;
  for (int i = 0; i < count && !testing::Test::HasFailure(); ++i) {
    run(first + static_cast<std::uint64_t>(i));
  }
}

}  // namespace dtrain::inline v0::support
