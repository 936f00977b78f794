#include "wire/header.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace dtrain::wire {
namespace {

constexpr HeaderRules kRules{.job = 42, .service_max = 3, .payload_count_max = 16};

Header sample() {
  Header header;
  header.service = 2;
  header.payload_count = 5;
  header.job = 42;
  header.sender = 0x0123456789ABCDEF;
  return header;
}

std::string error_of(std::span<const std::byte> frame) {
  const auto result = decode_header(frame, kRules);
  return result.ok() ? std::string("decoded") : std::string(result.error().what());
}

TEST(Header, EncodedComesBackAsItWas) {
  const HeaderBytes bytes = encode_header(sample());
  auto decoded = decode_header(bytes, kRules);
  ASSERT_TRUE(decoded.ok()) << decoded.error().what();
  EXPECT_EQ(decoded.value().service, 2);
  EXPECT_EQ(decoded.value().payload_count, 5);
  EXPECT_EQ(decoded.value().job, 42U);
  EXPECT_EQ(decoded.value().sender, 0x0123456789ABCDEFU);
}

TEST(Header, BytesAreLittleEndianAsDocumented) {
  const HeaderBytes bytes = encode_header(sample());
  const unsigned char expected[kHeaderBytes] = {'D',  'T',  'R',  'N',  3,    0,    2,    5,
                                                42,   0,    0,    0,    0,    0,    0,    0,
                                                0xEF, 0xCD, 0xAB, 0x89, 0x67, 0x45, 0x23, 0x01};
  EXPECT_EQ(std::memcmp(bytes.data(), expected, sizeof(expected)), 0);
}

TEST(Header, BodyBehindItDoesNotMatter) {
  std::vector<std::byte> frame(1000, std::byte{0xAA});
  const HeaderBytes bytes = encode_header(sample());
  std::copy(bytes.begin(), bytes.end(), frame.begin());
  EXPECT_EQ(error_of(frame), "decoded");
}

TEST(Header, EveryShorterFrameIsRefused) {
  const HeaderBytes bytes = encode_header(sample());
  for (std::size_t size = 0; size < kHeaderBytes; ++size) {
    const auto result = decode_header(std::span(bytes).first(size), kRules);
    ASSERT_FALSE(result.ok()) << size;
    EXPECT_EQ(result.error().code(), ErrorCode::kProtocol) << size;
  }
}

TEST(Header, ForeignBytesAreNotDtrains) {
  const std::string request = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
  EXPECT_EQ(error_of(std::as_bytes(std::span(request))),
            "[PROTOCOL] A message of 30 bytes is not dtrain's. Something else connects to this "
            "port: give dtrain a port of its own.");
}

TEST(Header, OtherVersionNamesBoth) {
  HeaderBytes bytes = encode_header(sample());
  bytes[4] = std::byte{7};
  EXPECT_EQ(error_of(bytes),
            "[PROTOCOL] The peer speaks protocol version 7, this process speaks 3. Run the same "
            "version of dtrain in every process of the job.");
  // A version whose header is shorter is still told apart.
  EXPECT_EQ(error_of(std::span(bytes).first(8)), error_of(bytes));
}

TEST(Header, OtherJobIsNoProtocolError) {
  Header header = sample();
  header.job = 43;
  const auto result = decode_header(encode_header(header), kRules);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_NE(std::string(result.error().what()).find("job 43"), std::string::npos);
  EXPECT_NE(std::string(result.error().what()).find("job 42"), std::string::npos);
}

TEST(Header, UnknownServiceIsRefused) {
  for (const int service : {0, 4, 255}) {
    Header header = sample();
    header.service = static_cast<std::uint8_t>(service);
    const auto result = decode_header(encode_header(header), kRules);
    ASSERT_FALSE(result.ok()) << service;
    EXPECT_EQ(result.error().code(), ErrorCode::kProtocol);
    EXPECT_NE(std::string(result.error().what()).find("service " + std::to_string(service)),
              std::string::npos);
  }
}

TEST(Header, MorePayloadFramesThanAllowedAreRefused) {
  Header header = sample();
  header.payload_count = 16;
  EXPECT_TRUE(decode_header(encode_header(header), kRules).ok());
  header.payload_count = 17;
  EXPECT_EQ(error_of(encode_header(header)),
            "[PROTOCOL] A message announces 17 payload frames, the limit is 16. Use the same "
            "limits in every process of the job.");
}

TEST(Header, SenderIsNeverZero) {
  Header header = sample();
  header.sender = 0;
  EXPECT_NE(error_of(encode_header(header)).find("no sender"), std::string::npos);
}

}  // namespace
}  // namespace dtrain::wire
