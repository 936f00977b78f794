#include "data/number.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace dtrain::inline v0::data {
namespace {

float float_of(std::string_view text) {
  float value = -12345.0F;
  EXPECT_EQ(parse_float(text, value), ParseStatus::kOk) << text;
  return value;
}

ParseStatus float_status(std::string_view text) {
  float value = -12345.0F;
  const ParseStatus status = parse_float(text, value);
  if (status != ParseStatus::kOk) {
    EXPECT_EQ(value, -12345.0F) << text;
  }
  return status;
}

std::int32_t int_of(std::string_view text) {
  std::int32_t value = -12345;
  EXPECT_EQ(parse_int32(text, value), ParseStatus::kOk) << text;
  return value;
}

ParseStatus int_status(std::string_view text) {
  std::int32_t value = 0;
  return parse_int32(text, value);
}

TEST(ParseFloat, ReadsDecimalsWithSignAndExponent) {
  EXPECT_EQ(float_of("0"), 0.0F);
  EXPECT_EQ(float_of("-1.5"), -1.5F);
  EXPECT_EQ(float_of("+2"), 2.0F);
  EXPECT_EQ(float_of("1e3"), 1000.0F);
  EXPECT_EQ(float_of("2.5E-1"), 0.25F);
  EXPECT_EQ(float_of(".5"), 0.5F);
  EXPECT_EQ(float_of("16777217"), 16777216.0F);
  EXPECT_EQ(float_of("3.4028234e38"), std::numeric_limits<float>::max());
}

TEST(ParseFloat, RoundsOnceAndNotThroughADouble) {
  // The tie 1 + 2^-24 plus a little: as a double it is the tie itself, which would go to 1.
  EXPECT_EQ(float_of("1.00000005960464477540"), 1.0F + std::numeric_limits<float>::epsilon());
}

TEST(ParseFloat, ReadsNanAndInfinity) {
  EXPECT_TRUE(std::isnan(float_of("nan")));
  EXPECT_TRUE(std::isnan(float_of("NaN")));
  EXPECT_EQ(float_of("-inf"), -std::numeric_limits<float>::infinity());
}

TEST(ParseFloat, MakesTooSmallNumbersSubnormalOrZero) {
  EXPECT_EQ(float_of("1e-60"), 0.0F);
  EXPECT_NEAR(float_of("1e-40") / 1e-40F, 1.0F, 1e-3F);
}

TEST(ParseFloat, RejectsWhatIsNotWhollyANumber) {
  for (const char* text :
       {"", "abc", "1,5", "1.5x", "--1", "+-1", "++1", "+", "-", "1e", "0x10", " 1", "1 ", "?"}) {
    EXPECT_EQ(float_status(text), ParseStatus::kNotANumber) << text;
  }
  EXPECT_EQ(float_status(std::string_view("1\0", 2)), ParseStatus::kNotANumber);
}

TEST(ParseFloat, ReportsWhatAFloatCannotHold) {
  EXPECT_EQ(float_status("1e39"), ParseStatus::kOutOfRange);
  EXPECT_EQ(float_status("-1e999"), ParseStatus::kOutOfRange);
}

TEST(ParseInt32, ReadsIntegersAndWholeFloats) {
  EXPECT_EQ(int_of("0"), 0);
  EXPECT_EQ(int_of("+7"), 7);
  EXPECT_EQ(int_of("-2147483648"), std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(int_of("2147483647"), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(int_of("3.0"), 3);
  EXPECT_EQ(int_of("1e2"), 100);
}

TEST(ParseInt32, RejectsFractionsAndText) {
  for (const char* text : {"", "3.5", "abc", "nan", "inf", "7 "}) {
    EXPECT_EQ(int_status(text), ParseStatus::kNotANumber) << text;
  }
}

TEST(ParseInt32, ReportsWhatDoesNotFit) {
  for (const char* text : {"2147483648", "-2147483649", "2147483648.0", "1e10", "1e999"}) {
    EXPECT_EQ(int_status(text), ParseStatus::kOutOfRange) << text;
  }
}

TEST(ParseInt64, ReadsAllOfThemAndWholeFloatsThatAreExact) {
  std::int64_t value = 0;
  EXPECT_EQ(parse_int64("-9223372036854775808", value), ParseStatus::kOk);
  EXPECT_EQ(value, std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(parse_int64("9007199254740992.0", value), ParseStatus::kOk);
  EXPECT_EQ(value, 9007199254740992);
  EXPECT_EQ(parse_int64("1e16", value), ParseStatus::kOutOfRange);
  EXPECT_EQ(parse_int64("9223372036854775808", value), ParseStatus::kOutOfRange);
  EXPECT_EQ(parse_int64("0.5", value), ParseStatus::kNotANumber);
}

TEST(InQuotes, ShortensAndHidesControlCharacters) {
  EXPECT_EQ(in_quotes("abc"), "\"abc\"");
  EXPECT_EQ(in_quotes("a\nb\x1b[31m"), "\"a?b?[31m\"");
  EXPECT_EQ(in_quotes(std::string(50, 'x')), "\"" + std::string(40, 'x') + "...\"");
}

}  // namespace
}  // namespace dtrain::inline v0::data
