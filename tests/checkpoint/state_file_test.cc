#include "checkpoint/state_file.h"

#include <gtest/gtest.h>

#include "dtrain/error.h"

namespace dtrain::inline v0::checkpoint {
namespace {

TEST(StateFile, NamesComeBackWithTheNewestLast) {
  const std::vector<std::string> names{"ckpt-1", "ckpt-20", "ckpt-3"};
  EXPECT_EQ(decode_state(encode_state(names), "f"), names);
  EXPECT_EQ(decode_state("model_checkpoint_path: \"ckpt-1\"\n"
                         "all_model_checkpoint_paths: \"ckpt-1\"\n"
                         "all_model_checkpoint_paths: \"ckpt-2\"",
                         "f"),
            (std::vector<std::string>{"ckpt-2", "ckpt-1"}))
      << "somebody went back by hand";
}

TEST(StateFile, NonsenseAndPathsElsewhereAreRefused) {
  for (const char* text :
       {"", "\n", "nonsense", "model_checkpoint_path: ckpt-1", "model_checkpoint_path: \"",
        "model_checkpoint_path: \"\"", "model_checkpoint_path: \"/etc/ckpt-1\"",
        "model_checkpoint_path: \"../ckpt-1\"", "model_checkpoint_path: \"ckpt--1\"",
        "all_model_checkpoint_paths: \"ckpt-1\"\n"}) {
    try {
      decode_state(text, "some/checkpoint");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kDataLoss);
      EXPECT_NE(std::string(error.what()).find("some/checkpoint"), std::string::npos);
    }
  }
}

TEST(StateFile, OnlyAStepsOwnNameIsACheckpoints) {
  EXPECT_EQ(step_of(checkpoint_name(0)), 0);
  EXPECT_EQ(step_of(checkpoint_name(INT64_MAX)), INT64_MAX);
  for (const char* name : {"", "ckpt", "ckpt-", "ckpt-+1", "ckpt--1", "ckpt-01", "ckpt-1 ",
                           "ckpt-9223372036854775808", "Ckpt-1", "ckpt-1.tmp"}) {
    EXPECT_FALSE(step_of(name)) << name;
  }
}

}  // namespace
}  // namespace dtrain::inline v0::checkpoint
