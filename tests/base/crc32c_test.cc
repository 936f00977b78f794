#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "base/philox.h"
#include "support/seed.h"

namespace dtrain::inline v0::base {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(Crc32c, GivesThePublishedValues) {
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xE3069283U);
  // RFC 3720, B.4.
  std::vector<std::byte> block(32, std::byte{0});
  EXPECT_EQ(crc32c(block), 0x8A9136AAU);
  block.assign(32, std::byte{0xFF});
  EXPECT_EQ(crc32c(block), 0x62A8AB43U);
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<std::byte>(i);
  EXPECT_EQ(crc32c(block), 0x46DD794EU);
  EXPECT_EQ(crc32c({}), 0U);
}

TEST(Crc32c, TablesAndInstructionAgreeWhereverPiecesEnd) {
  PhiloxStream random(support::seed());
  std::vector<std::byte> bytes(1000);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.below(256));
  const std::uint32_t whole = crc32c(bytes);
  for (int i = 0; i < 200; ++i) {
    const std::span<const std::byte> all(bytes);
    const std::size_t cut = random.below(bytes.size() + 1);
    ASSERT_EQ(crc32c(all.subspan(cut), crc32c(all.first(cut))), whole) << cut;
    ASSERT_EQ(crc32c_portable(all.subspan(cut), crc32c_portable(all.first(cut))), whole) << cut;
  }
}

}  // namespace
}  // namespace dtrain::inline v0::base
