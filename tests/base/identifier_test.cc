#include "base/identifier.h"

#include <gtest/gtest.h>

#include "dtrain/error.h"

namespace dtrain::inline v0::base {
namespace {

constexpr std::string_view kNames[] = {"adam", "adamw", "sgd", "mean_squared_error"};

TEST(Identifier, CaseAndUnderscoresDoNotCount) {
  EXPECT_EQ(find_identifier("thing", "MeanSquaredError", kNames), 3U);
  EXPECT_EQ(find_identifier("thing", "SGD", kNames), 2U);
  EXPECT_EQ(find_identifier("thing", "adamw", kNames), 1U);
  EXPECT_TRUE(same_identifier("a_b", "AB"));
  EXPECT_FALSE(same_identifier("a", "ab"));
}

TEST(Identifier, ANearMissIsSuggested) {
  EXPECT_EQ(nearest_name("adma", kNames), "adam");
  EXPECT_EQ(nearest_name("sdg", kNames), "sgd");
  EXPECT_EQ(nearest_name("mean_square_eror", kNames), "mean_squared_error");
  EXPECT_EQ(nearest_name("rmsprop", kNames), "");
  EXPECT_EQ(nearest_name("", kNames), "");
}

TEST(Identifier, AnUnknownOneIsAnErrorWithAllNames) {
  try {
    find_identifier("thing", "admaw", kNames);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_STREQ(error.what(),
                 "[INVALID_ARGUMENT] there is no thing \"admaw\". Did you mean \"adamw\"? There "
                 "are: adam, adamw, sgd, mean_squared_error.");
  }
}

}  // namespace
}  // namespace dtrain::inline v0::base
